"""What a protocol found out about one trained agent: every life, every condition, as plain values.

Times and windows of a protocol that counts trials are numbers of trials, here as everywhere, where
those of the others are seconds; `Evaluation.time_unit` tells which.
"""

import dataclasses
from dataclasses import dataclass
from typing import Any

import numpy as np

from robolearn.adaptation.seen import SEEN
from robolearn.tracking.plain_values import to_strict_json

FORMAT = "robolearn-evaluation-2"


@dataclass(frozen=True)
class LifeRecord:
    """One life, as raw numbers; performance is in the task's unit, such as m/s forward.

    Attributes:
        condition: name of the condition, or "intact".
        episode: its number under the condition; equal numbers share seed and noise.
        seed: of the life.
        onset_s: when the shift begins; for an intact life, when its twin's begins. An intact life
            has a record for each of the windows in which it is compared.
        frozen: whether plasticity stops at the onset.
        total_reward: sum over the life.
        steps: control steps lived.
        fell: the task's rule ended the life (a divergence of the physics too).
        fall_s: when; None if it did not.
        unstable: the physics diverged.
        mean: mean performance over the whole life.
        before: mean performance before the onset; NaN if that is at birth.
        early: mean performance over the tenth of the life that follows the onset.
        late: mean performance over the late window of `windows`.
        trace: mean performance of successive slices of `Evaluation.trace_step_s`.
        late_from_s: first instant of the late window, as `late_until_s` is its end; None in older
            records, whose late window always reaches to the end of the life.
    """

    condition: str
    episode: int
    seed: int
    onset_s: float
    frozen: bool
    total_reward: float
    steps: int
    fell: bool
    fall_s: float | None
    unstable: bool
    mean: float
    before: float
    early: float
    late: float
    trace: list[float]
    late_from_s: float | None = None
    late_until_s: float | None = None

    @property
    def windows(self) -> tuple[float | None, ...]:
        """What a life shares with the twins that it is compared with, beside the episode."""
        return self.onset_s, self.late_from_s, self.late_until_s


@dataclass(frozen=True)
class ConditionResult:
    """What one condition came to.

    Attributes:
        name: of the condition, as are `group`, `leg` and `seen`.
        shifts: its plans in YAML form.
        metrics: those of `metrics.measure`, and `reference_before`, `early_performance`,
            `unstable_share`, `reference_fall_rate`; for plastic agents `frozen_late_performance`,
            `frozen_fall_rate` and `plasticity_benefit`, and the same with "mean_" before it for
            twins that are frozen at the mean of what was learned shortly before the onset, and with
            "yoked_" for those of `yoke`; NaN where no such twins were lived; `savings` and
            `forgetting` of `savings.py`, NaN unless the shift comes, goes and comes back.
    """

    name: str
    group: str
    leg: str | None
    seen: str
    shifts: list[dict[str, Any]]
    metrics: dict[str, float]


@dataclass(frozen=True)
class Evaluation:
    """A protocol run on one trained agent: one training seed, so nothing here has an interval.

    Attributes:
        env: folder under `envs/`.
        env_options: variant and parameters of the task that differ from the env's own.
        agent: kind of brain.
        plastic: whether it can learn in life; if not, no frozen twins were lived.
        protocol: the protocol's fields.
        seed: of the evaluation; with the protocol it decides seeds and onsets.
        trained_on: what could happen in training, in YAML form.
        life_s: length of a life, s or trials.
        time_unit: "s" or "trials".
        measure: what performance is, such as "forward speed".
        unit: of performance, such as "m/s"; empty for a share.
        trace_step_s: duration of one element of the traces, s; 0 without traces.
        intact: over the intact lives: mean performance, total_reward, fall_rate, unstable_share,
            walked_share, the share that the protocol counts as walking, spikes_per_s, NaN for a
            brain without spikes, and operations_per_s of `cost`.
        conditions: one result each, in the protocol's order.
        lives: every life, raw.
        software: versions.
        command: that made it, if told.
    """

    env: str
    env_options: dict[str, Any]
    agent: str
    plastic: bool
    protocol: dict[str, Any]
    seed: int
    trained_on: list[dict[str, Any]]
    life_s: float
    time_unit: str
    measure: str
    unit: str
    trace_step_s: float
    intact: dict[str, float]
    conditions: list[ConditionResult]
    lives: list[LifeRecord]
    software: dict[str, Any]
    command: str | None = None

    @property
    def aggregates(self) -> dict[str, dict[str, float]]:
        """Means of every metric over the conditions of each kind of `SEEN`, and over all.

        Conditions weigh alike; `conditions` counts them. A metric that is undefined under one
        condition is undefined (NaN) in the mean.
        """
        groups = {
            name: [c for c in self.conditions if name in ("all", c.seen)] for name in (*SEEN, "all")
        }
        return {
            name: {"conditions": float(len(members)), **_mean_metrics(members)}
            for name, members in groups.items()
            if members
        }

    @property
    def worst_legs(self) -> dict[str, tuple[str | None, float]]:
        """For each group of conditions over several legs: the leg of least retention, and that.

        Where a retention is undefined the worst one is too: None and NaN.
        """
        groups: dict[str, list[ConditionResult]] = {}
        for condition in self.conditions:
            if condition.leg is not None:
                groups.setdefault(condition.group, []).append(condition)
        worst = {}
        for name, members in groups.items():
            if len({member.leg for member in members}) > 1:
                values = np.array([member.metrics["retention"] for member in members])
                known = bool(np.isfinite(values).all())
                at = int(values.argmin())
                worst[name] = (members[at].leg, float(values[at])) if known else (None, np.nan)
        return worst

    def to_json(self) -> dict[str, Any]:
        """Return plain values for strict JSON; NaN and infinities become None."""
        plain = {f.name: getattr(self, f.name) for f in dataclasses.fields(self)}
        plain["conditions"] = [vars(condition) for condition in self.conditions]
        plain["lives"] = [vars(life) for life in self.lives]
        summary = {"aggregates": self.aggregates, "worst_legs": self.worst_legs}
        return to_strict_json({"format": FORMAT, **plain, **summary})


def _mean_metrics(members: list[ConditionResult]) -> dict[str, float]:
    names = members[0].metrics
    # A median over half of whose episodes never recovered is infinite: it has no mean.
    return {
        name: float(np.mean([member.metrics[name] for member in members]))
        for name in names
        if name != "median_recovery_s"
    }
