"""Figures of time: performance around the onset of a shift, and over the training."""

from dataclasses import dataclass

import numpy as np
from scipy.special import stdtrit

from robolearn.adaptation.evaluation import Evaluation
from robolearn.adaptation.leaderboard import Row
from robolearn.adaptation.paired_lives import INTACT
from robolearn.adaptation.statistics import interval
from robolearn.report.svg import Frame, Values, line, picture, text, wide_range


@dataclass(frozen=True)
class Aligned:
    """Performance around the onset: time from it (t,), and curves (runs or episodes, t) by kind.

    `over` says what the leading axis is: "runs", or "lives" where there is a single run.
    """

    time: Values
    curves: dict[str, Values]
    over: str

    def middle_and_band(self, kind: str) -> tuple[Values, Values, Values]:
        """Return the IQM over runs and the ends of its 95 % interval, (t,) each.

        Over lives it is the mean: a trial is right or wrong, and of that the IQM tells too little.
        """
        curves = self.curves[kind]
        if self.over == "lives":
            middle, n = curves.mean(axis=0), len(curves)
            if n < 2:
                return middle, np.full_like(middle, np.nan), np.full_like(middle, np.nan)
            half = stdtrit(n - 1, 0.975) * curves.std(axis=0, ddof=1) / n**0.5
            return middle, middle - half, middle + half
        found = [interval(column) for column in curves.T]
        middle, low, high = (np.array([f[i] for f in found]) for i in range(3))
        return middle, low, high


def align(row: Row) -> Aligned:
    """Return the mean curves over conditions of a recipe, from the traces of its lives.

    Every life is shifted so that its onset is at 0; what all of them have is kept.
    """
    parts = [_of_run(evaluation) for evaluation in row.evaluations]
    step = row.evaluations[0].trace_step_s
    before = min(part["before"] for part in parts)
    after = min(part["after"] for part in parts)
    time = np.arange(-before, after) * step
    single = len(parts) == 1
    curves = {}
    for kind in parts[0]["curves"]:
        cut = [
            part["curves"][kind][:, part["before"] - before : part["before"] + after]
            for part in parts
        ]
        curves[kind] = cut[0] if single else np.stack([c.mean(axis=0) for c in cut])
    return Aligned(time, curves, "lives" if single else "runs")


def _of_run(evaluation: Evaluation) -> dict:
    """Return curves (episodes, t) by kind, of one run, as means over its conditions."""
    step = evaluation.trace_step_s
    names = {c.name for c in evaluation.conditions}
    shifted = [life for life in evaluation.lives if life.condition in names and life.trace]
    onsets = {(life.episode, life.onset_s) for life in shifted}
    kinds = {
        "live": [life for life in shifted if not life.frozen],
        "frozen": [life for life in shifted if life.frozen],
        # One of each onset, whatever the late windows in which it is compared.
        "intact": list(
            {
                (life.episode, life.onset_s): life
                for life in evaluation.lives
                if life.condition == INTACT
                and not life.frozen
                and (life.episode, life.onset_s) in onsets
            }.values()
        ),
    }
    # The slice that holds the onset is the first one after it: those before are wholly before.
    at = {id(life): int(life.onset_s / step + 1e-9) for group in kinds.values() for life in group}
    before = min(at[id(life)] for life in shifted)
    after = min(len(life.trace) - at[id(life)] for life in shifted)
    episodes = sorted({life.episode for life in shifted})
    curves = {}
    for kind, lives in kinds.items():
        if lives:
            rows = []
            for episode in episodes:
                own = [life for life in lives if life.episode == episode]
                cut = [x.trace[at[id(x)] - before : at[id(x)] + after] for x in own]
                rows.append(np.mean(cut, axis=0))
            curves[kind] = np.array(rows)
    return {"before": before, "after": after, "curves": curves}


def adaptation_figure(row: Row, aligned: Aligned, colour: int, y_range: tuple[float, float]) -> str:
    """Draw one recipe: before the onset and after it, live, frozen and intact."""
    first = row.evaluations[0]
    frame = Frame((aligned.time[0], aligned.time[-1]), y_range, top=16)
    unit = first.unit or "share"
    content = frame.axes(f"{first.time_unit} from the onset", unit)
    content += line(frame.x(0), frame.top, frame.x(0), frame.height - frame.bottom, "onset")
    content += text(frame.x(0) + 4, frame.top + 8, "onset", "label")
    middle, _, _ = aligned.middle_and_band("intact")
    content += frame.path(aligned.time, middle, "line intact")
    middle, low, high = aligned.middle_and_band("live")
    if aligned.over == "runs":
        for run in aligned.curves["live"]:
            content += frame.path(aligned.time, run, f"line thin c{colour}")
    content += frame.band(aligned.time, low, high, f"band c{colour}")
    if "frozen" in aligned.curves:
        frozen, _, _ = aligned.middle_and_band("frozen")
        content += frame.path(aligned.time, frozen, f"line frozen c{colour}")
    content += frame.path(aligned.time, middle, f"line c{colour}")
    title = (
        f"{row.label}: performance in {unit} before and after the onset, live, "
        f"{'frozen and ' if 'frozen' in aligned.curves else 'and '}intact; it goes from "
        f"{middle[aligned.time < 0].mean():.2f} to {middle[-len(middle) // 5 :].mean():.2f}"
        if (aligned.time < 0).any()
        else f"{row.label}: performance after the onset"
    )
    return picture(frame.width, frame.height, title, content)


def adaptation_range(aligned: list[Aligned]) -> tuple[float, float]:
    """Return the range of y that the panels of all recipes share; wide intervals are cut off."""
    drawn = [a.middle_and_band(kind)[0] for a in aligned for kind in a.curves]
    drawn += [a.curves["live"].ravel() for a in aligned if a.over == "runs"]
    return wide_range(np.concatenate(drawn))


@dataclass(frozen=True)
class LearningCurve:
    """What one training run reached after so many environment steps; performance of its lives."""

    steps: Values
    performance: Values


def learning_figure(
    runs: list[LearningCurve], label: str, unit: str, colour: int, ranges: tuple
) -> str:
    """Draw the training of one recipe: every run thin, their mean bold."""
    frame = Frame(*ranges, top=16)
    content = frame.axes("million environment steps", unit)
    for run in runs:
        content += frame.path(run.steps / 1e6, run.performance, f"line thin c{colour}")
    if len(runs) > 1:
        last = min(run.steps[-1] for run in runs)
        grid = np.linspace(max(run.steps[0] for run in runs), last, 120)
        mean = np.mean([np.interp(grid, r.steps, r.performance) for r in runs], axis=0)
        content += frame.path(grid / 1e6, mean, f"line c{colour}")
    ends = ", ".join(f"{run.performance[-5:].mean():.2f}" for run in runs)
    title = f"{label}: performance in training of {len(runs)} runs, at the end {ends} {unit}"
    return picture(frame.width, frame.height, title, content)
