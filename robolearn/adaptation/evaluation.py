"""Run a protocol on one trained agent: disturbed lives, intact twins, and twins that stop learning.

Every life under a condition has up to three companions with the same agent, seed and noise: its
intact twin, and for a plastic agent the two lives, disturbed and intact, whose plasticity is frozen
at the instant of the onset. Each distinct life is lived once, all of them in large batches.
"""

import dataclasses
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from robolearn.adaptation.metrics import (
    PairedLives,
    early_mean,
    late_mean,
    measure,
    plasticity_benefit,
)
from robolearn.adaptation.paired_lives import INTACT, LifePlan, Lived, live_all, plan_lives
from robolearn.adaptation.protocol import SEEDS, Condition, Protocol
from robolearn.agents.protocol import Agent
from robolearn.envs.vector_env import RobotVectorEnv
from robolearn.errors import UserError
from robolearn.learning.evolution import life_seeds
from robolearn.lifetime import NEVER
from robolearn.shifts import ShiftPlan
from robolearn.tracking.plain_values import to_strict_json
from robolearn.tracking.provenance import describe_software
from robolearn.worlds import load_world

FORMAT = "robolearn-evaluation-1"

_MAX_ROWS = 128


@dataclass(frozen=True)
class LifeRecord:
    """One life, as raw numbers; performance is in the task's unit, such as m/s forward.

    Attributes:
        condition: name of the condition, or "intact".
        episode: its number under the condition; equal numbers share seed and noise.
        seed: of the life.
        onset_s: when the shift begins; for an intact life, when its twin's begins.
        frozen: whether plasticity stops at the onset.
        total_reward: sum over the life.
        steps: control steps lived.
        fell: the task's rule ended the life (a divergence of the physics too).
        fall_s: when; None if it did not.
        unstable: the physics diverged.
        before: mean performance before the onset; NaN if that is at birth.
        early: mean performance over the tenth of the life that follows the onset.
        late: mean performance over the late window of `metrics`.
        trace: mean performance of successive slices of `Evaluation.trace_step_s`.
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
    before: float
    early: float
    late: float
    trace: list[float]


@dataclass(frozen=True)
class ConditionResult:
    """What one condition came to.

    Attributes:
        name: of the condition, as are `group`, `leg` and `seen`.
        shifts: its plans in YAML form.
        metrics: those of `metrics.measure`, and `reference_before`, `early_performance`,
            `unstable_share`, `reference_fall_rate`; for plastic agents `frozen_late_performance`,
            `frozen_fall_rate` and `plasticity_benefit`, which are NaN for others.
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
        life_s: length of a life, s.
        unit: of performance, such as "m/s".
        trace_step_s: duration of one element of the traces, s; 0 without traces.
        intact: over the intact lives: mean performance, total_reward, fall_rate, unstable_share,
            and walked_share, the share that the protocol counts as walking.
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
    unit: str
    trace_step_s: float
    intact: dict[str, float]
    conditions: list[ConditionResult]
    lives: list[LifeRecord]
    software: dict[str, Any]
    command: str | None = None

    @property
    def aggregates(self) -> dict[str, dict[str, float]]:
        """Means of every metric over the conditions that are seen, partly seen, unseen, and all.

        Conditions weigh alike; `conditions` counts them. A metric that is undefined under one
        condition is undefined (NaN) in the mean.
        """
        groups = {
            name: [c for c in self.conditions if name in ("all", c.seen)]
            for name in ("seen", "partly", "unseen", "all")
        }
        return {
            name: {"conditions": float(len(members)), **_mean_metrics(members)}
            for name, members in groups.items()
            if members
        }

    @property
    def worst_legs(self) -> dict[str, tuple[str, float]]:
        """For each group of conditions over several legs: the leg of least retention, and that."""
        groups: dict[str, list[ConditionResult]] = {}
        for condition in self.conditions:
            if condition.leg is not None:
                groups.setdefault(condition.group, []).append(condition)
        worst = {}
        for name, members in groups.items():
            if len({member.leg for member in members}) > 1:
                # argmin stops at an undefined retention, which then is the group's.
                values = np.array([member.metrics["retention"] for member in members])
                member = members[int(values.argmin())]
                worst[name] = (str(member.leg), member.metrics["retention"])
        return worst

    def to_json(self) -> dict[str, Any]:
        """Return plain values for strict JSON; NaN and infinities become None."""
        plain = {f.name: getattr(self, f.name) for f in dataclasses.fields(self)}
        plain["conditions"] = [vars(condition) for condition in self.conditions]
        plain["lives"] = [vars(life) for life in self.lives]
        summary = {"aggregates": self.aggregates, "worst_legs": self.worst_legs}
        return to_strict_json({"format": FORMAT, **plain, **summary})

    @classmethod
    def from_json(cls, content: dict[str, Any]) -> "Evaluation":
        """Read what `to_json` returned.

        Raises:
            UserError: it is something else, or a field is missing.
        """
        if not isinstance(content, dict) or content.get("format") != FORMAT:
            given = content.get("format") if isinstance(content, dict) else type(content).__name__
            raise UserError(f"not an evaluation: format is {given!r}, expected {FORMAT!r}")
        try:
            values = {f.name: content[f.name] for f in dataclasses.fields(cls)}
            values["conditions"] = [
                ConditionResult(**{**c, "metrics": _read_metrics(c["metrics"])})
                for c in values["conditions"]
            ]
            values["lives"] = [
                LifeRecord(**{**life, "before": _read_number(life["before"])})
                for life in values["lives"]
            ]
        except (KeyError, TypeError) as error:
            raise UserError(f"not a whole evaluation: {error}") from None
        return cls(**values)


def evaluate(
    env_name: str,
    agent: Agent,
    genome: NDArray[np.floating],
    protocol: Protocol,
    *,
    trained_on: tuple[ShiftPlan, ...] = (),
    seed: int = 0,
    env_options: dict[str, Any] | None = None,
    progress: Callable[[int, int], None] | None = None,
    max_rows: int = _MAX_ROWS,
    threads: int | None = None,
    trace_hz: float = 10.0,
    command: str | None = None,
) -> Evaluation:
    """Run `protocol` on one agent. The result depends neither on `max_rows` nor on `threads`.

    Args:
        env_name: folder under `envs/`.
        agent: the kind of brain. If it is not plastic, there are no frozen twins.
        genome: (g,), the trained one.
        protocol: the conditions.
        trained_on: what could happen in the lives of training; decides what was seen.
        seed: chooses lives and onsets; equal seeds compare agents on equal terms.
        env_options: `variant` and parameters of the task, as the agent was trained with.
        progress: called with (control steps done, at most) about once a second of life.
        max_rows: most individuals in one batch.
        threads: of the physics; None takes every core.
        trace_hz: rate of the performance traces that are kept of every life; 0 for none.
        command: to be kept with the result.

    Raises:
        UserError: a condition does not fit the world, or the agent does not fit the env.
    """
    options = dict(env_options or {})
    world = load_world(env_name, options.get("variant"))
    conditions = protocol.conditions(world, trained_on)
    seeds = life_seeds(seed, SEEDS[protocol.seeds], 0, protocol.episodes)
    plastic = agent.is_plastic
    plan = plan_lives(conditions, seeds, world, protocol.life_steps(world), plastic)
    batches = -(-len(plan.shifts) // max(1, max_rows))
    env = RobotVectorEnv(
        env_name,
        num_envs=-(-len(plan.shifts) // batches),
        max_episode_steps=protocol.life_steps(world),
        autoreset_mode="Disabled",
        threads=threads,
        **options,
    )
    _check_fit(agent, env, genome)
    lived = live_all(env, agent, genome, plan, seeds, progress=progress)
    env.close()
    step_s = world.control_step_s
    slice_steps = max(1, round(1 / (trace_hz * step_s))) if trace_hz > 0 else 0
    intact = lived.rows([(INTACT, e, NEVER) for e in range(protocol.episodes)])
    return Evaluation(
        env=env_name,
        env_options=options,
        agent=agent.kind,
        plastic=plastic,
        protocol={**vars(protocol), "templates": list(protocol.templates)},
        seed=seed,
        trained_on=[p.to_mapping() for p in trained_on],
        life_s=protocol.life_steps(world) * step_s,
        unit=env.task.performance_unit,
        trace_step_s=slice_steps * step_s,
        intact={
            "performance": float(intact.performance.mean(dtype=np.float64)),
            "total_reward": float(intact.total_reward.mean()),
            "fall_rate": float(intact.fell.mean()),
            "unstable_share": float(intact.unstable.mean()),
            "walked_share": float(np.mean(intact.performance.mean(axis=1) > protocol.walks_above)),
        },
        conditions=[
            _measure_condition(c, lived, plan.onset_step[c.name], step_s, protocol.walks_above)
            for c in conditions
        ],
        lives=_records(lived, plan, seeds, step_s, slice_steps),
        software=describe_software(),
        command=command,
    )


def _check_fit(agent: Agent, env: RobotVectorEnv, genome: NDArray[np.floating]) -> None:
    """Raise UserError if the agent or its genome was made for another env."""
    ours = (agent.observation_size, agent.action_size)
    wanted = (env.task.observation_size, env.task.action_size)
    if ours != wanted:
        raise UserError(
            f"the agent has {ours[0]} observations and {ours[1]} actions, "
            f"{env.world.name} has {wanted[0]} and {wanted[1]}"
        )
    if np.shape(genome) != (agent.genome.size,):
        raise UserError(
            f"genome: expected shape ({agent.genome.size},) for agent {agent.kind!r}, "
            f"got {np.shape(genome)}"
        )


def _measure_condition(
    condition: Condition,
    lived: Lived,
    onset: NDArray[np.int64],
    step_s: float,
    walks_above: float,
) -> ConditionResult:
    """Measure one condition against its companions; onset (episodes,) in control steps."""
    episodes = range(len(onset))
    shifted = lived.rows([(condition.name, e, NEVER) for e in episodes])
    twin = lived.rows([(INTACT, e, NEVER) for e in episodes])
    pairs = PairedLives(
        shifted.performance, twin.performance, onset, shifted.fall_step, step_s, walks_above
    )
    metrics = {
        **measure(pairs),
        "reference_before": float(np.mean(_before(twin.performance, onset))),
        "early_performance": float(early_mean(shifted.performance, onset).mean()),
        "unstable_share": float(shifted.unstable.mean()),
        "reference_fall_rate": float(twin.fell.mean()),
        "frozen_late_performance": np.nan,
        "frozen_fall_rate": np.nan,
        "plasticity_benefit": np.nan,
    }
    if (condition.name, 0, int(onset[0])) in lived.row_of:
        frozen = lived.rows([(condition.name, e, int(onset[e])) for e in episodes])
        frozen_twin = lived.rows([(INTACT, e, int(onset[e])) for e in episodes])
        late = [late_mean(x.performance, onset) for x in (shifted, frozen, twin, frozen_twin)]
        metrics["frozen_late_performance"] = float(late[1].mean())
        metrics["frozen_fall_rate"] = float(frozen.fell.mean())
        metrics["plasticity_benefit"] = plasticity_benefit(*late)
    plans = [plan.to_mapping() for plan in condition.plans]
    return ConditionResult(
        condition.name, condition.group, condition.leg, condition.seen, plans, metrics
    )


def _records(
    lived: Lived,
    plan: LifePlan,
    seeds: NDArray[np.int64],
    step_s: float,
    slice_steps: int,
) -> list[LifeRecord]:
    """Write down every life; an intact one for each onset at which it is compared."""
    wanted: dict[tuple[str, int, int, bool], None] = {}  # an ordered set
    for condition, onsets in plan.onset_step.items():
        for episode, onset in enumerate(onsets.tolist()):
            for name in (INTACT, condition):
                wanted[name, episode, onset, False] = None
                if (name, episode, onset) in lived.row_of:
                    wanted[name, episode, onset, True] = None
    records = []
    for name, episode, onset, frozen in wanted:
        life = lived.rows([(name, episode, onset if frozen else NEVER)])
        curve, at = life.performance, np.array([onset])
        records.append(
            LifeRecord(
                condition=name,
                episode=episode,
                seed=int(seeds[episode]),
                onset_s=onset * step_s,
                frozen=frozen,
                total_reward=float(life.total_reward[0]),
                steps=int(life.steps[0]),
                fell=bool(life.fell[0]),
                fall_s=float(life.fall_step[0] * step_s) if life.fell[0] else None,
                unstable=bool(life.unstable[0]),
                before=float(_before(curve, at)[0]),
                early=float(early_mean(curve, at)[0]),
                late=float(late_mean(curve, at)[0]),
                trace=_trace(curve[0], slice_steps),
            )
        )
    return records


def _before(performance: NDArray[Any], onset: NDArray[np.int64]) -> NDArray[np.float64]:
    """Return each episode's mean (episodes,) of (episodes, T) before its onset; NaN at birth."""
    sums = [float(p[:t].sum(dtype=np.float64)) for p, t in zip(performance, onset, strict=True)]
    return np.where(onset > 0, np.array(sums) / np.maximum(onset, 1), np.nan)


def _trace(performance: NDArray[Any], slice_steps: int) -> list[float]:
    """Return the means of slices of `performance` (T,), rounded to 0.1 mm/s; a rest is left out."""
    if slice_steps == 0:
        return []
    whole = len(performance) // slice_steps * slice_steps
    slices = performance[:whole].reshape(-1, slice_steps)
    return np.round(slices.mean(axis=1, dtype=np.float64), 4).tolist()


def _mean_metrics(members: list[ConditionResult]) -> dict[str, float]:
    names = members[0].metrics
    # A median over half of whose episodes never recovered is infinite: it has no mean.
    return {
        name: float(np.mean([member.metrics[name] for member in members]))
        for name in names
        if name != "median_recovery_s"
    }


def _read_metrics(metrics: dict[str, Any]) -> dict[str, float]:
    """Undo strict JSON: no recovery time beside a defined share of recoveries means never."""
    read = {name: _read_number(value) for name, value in metrics.items()}
    if np.isnan(read["median_recovery_s"]) and not np.isnan(read["recovered_share"]):
        read["median_recovery_s"] = np.inf
    return read


def _read_number(value: float | None) -> float:
    return np.nan if value is None else float(value)
