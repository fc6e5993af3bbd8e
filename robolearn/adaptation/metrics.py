"""What adapting means in numbers: each metric of the protocol, for one training seed.

Every life with a shift has an intact twin: the same agent, seed and noise, without the shift. A
metric pools the episodes of one seed as a ratio of means, never as a mean of ratios, so that an
episode whose twin hardly moves cannot dominate. Episodes whose twin never walked count as failures:
the metric is (share that walked) x (metric of those) + (share that did not) x (worst value).

The windows are those of `windows`: *early* is a tenth of the life from the onset on; *under the
shift* is from the onset to the end of the shift's first span; *late* is the last quarter of a
life's length in which the shift acts. Where it lasts, both of these reach to the end of the life.

A ratio is NaN where it is not defined: the twins' mean is not positive in the window it needs.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from robolearn.adaptation.windows import Window, Windows, early_steps

Array = NDArray[Any]


@dataclass(frozen=True)
class PairedLives:
    """The episodes of one seed under one shift, beside their intact twins.

    Attributes:
        performance: (episodes, T), of the shifted life at each control step, in the task's unit
            (such as m/s forward); zero from a fall on.
        reference: (episodes, T), the same of the intact twin.
        windows: of the episodes: when the shift comes and goes.
        fall_step: (episodes,) int, the step at which the shifted life fell; T if it did not.
        control_step_s: duration of a step, s.
        walks_above: an episode whose twin's mean performance over the whole life is not above this
            never walked; in the task's unit.

    Raises:
        ValueError: shapes differ, a value is not finite or is not zero after a fall, or a fall
            lies outside the life.
    """

    performance: Array
    reference: Array
    windows: Windows
    fall_step: Array
    control_step_s: float
    walks_above: float = 0.0

    def __post_init__(self) -> None:
        """Check that the arrays belong together."""
        if np.ndim(self.performance) != 2 or np.size(self.performance) == 0:
            raise ValueError(
                f"performance: expected shape (episodes, T), got {np.shape(self.performance)}"
            )
        episodes, steps = self.performance.shape
        for name, shape in (("reference", (episodes, steps)), ("fall_step", (episodes,))):
            if np.shape(getattr(self, name)) != shape:
                given = np.shape(getattr(self, name))
                raise ValueError(f"{name}: expected shape {shape}, got {given}")
        windows = (*np.shape(self.windows.onset), self.windows.steps)
        if windows != (episodes, steps):
            raise ValueError(f"windows: expected those of {(episodes, steps)}, got {windows}")
        if not (np.isfinite(self.performance).all() and np.isfinite(self.reference).all()):
            raise ValueError("performance and reference must be finite")
        if np.any(self.fall_step < 0) or np.any(self.fall_step > steps):
            raise ValueError(f"fall_step: expected 0 to {steps}, got {self.fall_step}")
        if self.performance[np.arange(steps) >= self.fall_step[:, None]].any():
            raise ValueError("performance: expected zero from the fall on")
        if not self.control_step_s > 0:
            raise ValueError(f"control_step_s: expected more than 0, got {self.control_step_s}")

    @property
    def walked(self) -> NDArray[np.bool_]:
        """Whether the intact twin of each episode walked at all, (episodes,)."""
        return self.reference.mean(axis=1) > self.walks_above


def early_mean(performance: Array, windows: Windows) -> NDArray[np.float64]:
    """Return each episode's mean (episodes,) over the early window, in the task's unit.

    Args:
        performance: (episodes, T).
        windows: of the episodes.
    """
    return _window_mean(performance, windows.early)


def late_mean(performance: Array, windows: Windows) -> NDArray[np.float64]:
    """Return each episode's mean (episodes,) over the late window, in the task's unit.

    This is the absolute figure (such as the speed) to print beside every ratio.

    Args:
        performance: (episodes, T).
        windows: of the episodes.
    """
    return _window_mean(performance, windows.late)


def retention(lives: PairedLives) -> float:
    """Return mean p / mean p_ref over the late window: the share of performance that is left.

    1 is as good as intact, 0 (also the value of those who never walked) is nothing left; more than
    1 or less than 0 is possible. Unitless.
    """
    ratio = _ratio(
        late_mean(lives.performance, lives.windows),
        late_mean(lives.reference, lives.windows),
        lives.walked,
    )
    return _with_failures(ratio, 0.0, lives.walked)


def drop(lives: PairedLives) -> float:
    """Return 1 - mean p / mean p_ref over the early window: what the shift costs at first.

    0 is no loss, 1 (also the value of those who never walked) is total loss. Unitless.
    """
    ratio = _ratio(
        early_mean(lives.performance, lives.windows),
        early_mean(lives.reference, lives.windows),
        lives.walked,
    )
    return 1 - _with_failures(ratio, 0.0, lives.walked)


def adaptation(lives: PairedLives) -> float:
    """Return (mean p late - mean p early) / mean p_ref under the shift: what the life wins back.

    Positive where the agent gets better under the shift, negative where it gets worse, 0 for those
    who never walked. Unitless.
    """
    gain = late_mean(lives.performance, lives.windows) - early_mean(
        lives.performance, lives.windows
    )
    ratio = _ratio(gain, _window_mean(lives.reference, lives.windows.under), lives.walked)
    return _with_failures(ratio, 0.0, lives.walked)


def robustness_area(lives: PairedLives) -> float:
    """Return the integral of p_ref - p over that of p_ref, under the shift: the share lost.

    0 is no loss, 1 (also the value of those who never walked) is total loss; negative if the
    shifted lives outdo their twins. Unitless; the duration of a step cancels.
    """
    under = _inside(lives.windows.under, lives.windows.steps)  # (episodes, T)
    lost = np.sum((lives.reference - lives.performance) * under, axis=1)
    ratio = _ratio(lost, np.sum(lives.reference * under, axis=1), lives.walked)
    return _with_failures(ratio, 1.0, lives.walked)


def fall_rate(lives: PairedLives) -> float:
    """Return the share of episodes whose shifted life ends in a fall, of all episodes."""
    return float(np.mean(lives.fall_step < lives.performance.shape[1]))


@dataclass(frozen=True)
class Recovery:
    """When each episode of a seed had recovered from the shift.

    Attributes:
        state: (episodes,) str: "recovered"; "censored", the fall or the end of the shift came
            first, or the twin never walked; "undefined", the shift cost too little for a
            recovery to mean anything.
        time_s: (episodes,) s from the onset to the recovery, or for how long it was waited for if
            censored; NaN if undefined.
    """

    state: NDArray[np.str_]
    time_s: NDArray[np.float64]

    @property
    def recovered_share(self) -> float:
        """Share of the defined episodes that recovered; NaN if none is defined."""
        defined = self.state != "undefined"
        return float(np.mean(self.state[defined] == "recovered")) if defined.any() else float("nan")

    @property
    def median_s(self) -> float:
        """Median recovery time, s, of the defined episodes, where censored counts as never.

        Infinite if half of them or more did not recover; NaN if none is defined.
        """
        defined = self.state != "undefined"
        times = np.where(self.state == "recovered", self.time_s, np.inf)[defined]
        return float(np.median(times)) if defined.any() else float("nan")


def recovery(
    lives: PairedLives,
    share: float = 0.9,
    hold_s: float = 1.0,
    smoothing_s: float = 0.5,
    least_drop: float = 0.1,
) -> Recovery:
    """Find the first time at which p >= p_dip + share (p_ref - p_dip) begins to hold for `hold_s`.

    p_dip is the mean of p over the early window and p_ref the twin's mean under the shift. p is
    first averaged over the last `smoothing_s`, never reaching back before the onset, since speed
    swings within a step of the gait; that delays a sudden recovery by up to `smoothing_s`. The
    search starts at the lowest smoothed p of the early window: a shift takes a moment to bite. It
    ends with the shift: healing is no recovery.

    Args:
        lives: the episodes of one seed.
        share: of the dip that must be made good.
        hold_s: how long it must hold, s, before the fall or the end of the shift.
        smoothing_s: length of the running mean, s; 0 for none.
        least_drop: an episode with 1 - mean p / mean p_ref below this in the early window has
            nothing to recover from. A fall that comes later shows in `fall_rate`.
    """
    p, walked, (onset, end) = lives.performance, lives.walked, lives.windows.under
    early = early_mean(p, lives.windows)
    dropped = early <= (1 - least_drop) * early_mean(lives.reference, lives.windows)
    threshold = early + share * (_window_mean(lives.reference, (onset, end)) - early)
    hold = max(1, round(hold_s / lives.control_step_s))
    width = max(1, round(smoothing_s / lives.control_step_s))
    state = np.where(walked & ~dropped, "undefined", "censored").astype("<U9")
    steps = np.maximum(0, np.minimum(lives.fall_step, end) - onset).astype(float)
    steps[state == "undefined"] = np.nan
    for i in np.flatnonzero(walked & dropped):
        smooth = _running_mean(p[i, onset[i] : end[i]], width)  # (end - onset,)
        # The tolerance keeps a curve that ends exactly on the threshold from hanging on rounding.
        above = smooth >= threshold[i] - 1e-9 * abs(threshold[i])
        above[max(0, lives.fall_step[i] - onset[i]) :] = False
        above[: smooth[: early_steps(lives.windows.steps)].argmin()] = False
        count = np.concatenate([[0], np.cumsum(above)])
        held = np.flatnonzero(count[hold:] - count[:-hold] == hold)
        if held.size:
            state[i], steps[i] = "recovered", held[0]
    return Recovery(state, steps * lives.control_step_s)


def measure(lives: PairedLives, back: Recovery | None = None) -> dict[str, float]:
    """Return the metrics of one seed by name, with the absolute performance beside the ratios.

    Recovery is told as the share that recovered and the median time, by `recovery`'s defaults
    unless another `back` is given.
    """
    back = recovery(lives) if back is None else back
    return {
        "retention": retention(lives),
        "drop": drop(lives),
        "adaptation": adaptation(lives),
        "robustness_area": robustness_area(lives),
        "recovered_share": back.recovered_share,
        "median_recovery_s": back.median_s,
        "fall_rate": fall_rate(lives),
        "walked_share": float(lives.walked.mean()),
        "late_performance": float(late_mean(lives.performance, lives.windows).mean()),
        "late_reference": float(late_mean(lives.reference, lives.windows).mean()),
    }


def plasticity_benefit(
    live_shifted: Array, frozen_shifted: Array, live_intact: Array, frozen_intact: Array
) -> float:
    """Return (live - frozen) under the shift minus (live - frozen) intact: what plasticity buys.

    The four lives of an episode share agent, seed and noise, and "frozen" stops plasticity at the
    instant of the onset. Positive: plasticity helps more under the shift than without it. In the
    task's unit, mean over episodes.

    Args:
        live_shifted: (episodes,), such as `late_mean` of the shifted life with plasticity on.
        frozen_shifted: (episodes,).
        live_intact: (episodes,).
        frozen_intact: (episodes,).

    Raises:
        ValueError: the four are not paired vectors of the same length.
    """
    lives = (live_shifted, frozen_shifted, live_intact, frozen_intact)
    if np.ndim(live_shifted) != 1 or len({np.shape(life) for life in lives}) != 1:
        raise ValueError(f"expected four paired (episodes,), got {[np.shape(x) for x in lives]}")
    return float(np.mean((live_shifted - frozen_shifted) - (live_intact - frozen_intact)))


def gap_closed(agent: float, static: float, ceiling: float) -> float:
    """Return (agent - static) / (ceiling - static): the share of what can be won that is won.

    Take all three as IQMs over seeds, in the task's unit. 0 is the static network, 1 the same
    learner trained on that very damage; NaN if the ceiling is not above the static network, since
    then there is nothing to close. Unitless.
    """
    return (agent - static) / (ceiling - static) if ceiling > static else float("nan")


def _inside(window: Window, steps: int) -> NDArray[np.bool_]:
    """Return which steps of a life of `steps` lie in the window of each episode, (episodes, T)."""
    step, (start, end) = np.arange(steps), window
    return (step >= start[:, None]) & (step < end[:, None])


def _window_mean(curve: Array, window: Window) -> NDArray[np.float64]:
    """Return the mean (episodes,) of `curve` (episodes, T) over a window."""
    inside = _inside(window, curve.shape[1])  # (episodes, T)
    return np.sum(curve * inside, axis=1, dtype=np.float64) / (window[1] - window[0])


def _running_mean(curve: Array, width: int) -> NDArray[np.float64]:
    """Return the mean (t,) of the last `width` elements of `curve` (t,), of fewer at its start."""
    total = np.concatenate([[0.0], np.cumsum(curve, dtype=np.float64)])
    end = np.arange(1, len(curve) + 1)
    start = np.maximum(0, end - width)
    return (total[end] - total[start]) / (end - start)


def _ratio(numerator: Array, denominator: Array, walked: Array) -> float:
    """Return the ratio of means over the episodes that walked; NaN if it is not defined."""
    below = float(denominator[walked].mean()) if walked.any() else 0.0
    return float(numerator[walked].mean()) / below if below > 0 else float("nan")


def _with_failures(ratio: float, worst: float, walked: Array) -> float:
    """Return `ratio` of those who walked, diluted with the `worst` value of those who did not."""
    share = float(walked.mean())
    return share * ratio + (1 - share) * worst if walked.any() else worst
