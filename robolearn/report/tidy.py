"""What a report shows as plain tables and lines, for whoever draws them anew, such as W&B."""

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np

from robolearn.adaptation.leaderboard import EXTRA, SHOWN, Leaderboard, Row
from robolearn.adaptation.statistics import performance_profile
from robolearn.report.curves import LearningCurve, align

# Thresholds of a performance profile: retention beyond 1.2 is rare.
PROFILE_THRESHOLDS = np.linspace(0, 1.2, 121)

_OF_CONDITIONS = (
    "retention", "late_performance", "late_reference", "drop", "fall_rate", "recovered_share",
    "plasticity_benefit",
)  # fmt: skip


class Table(NamedTuple):
    """Named columns, and rows of plain values; what is not defined is NaN."""

    columns: list[str]
    rows: list[list[Any]]


class Lines(NamedTuple):
    """Lines in one picture: {name: (x (k,), y (k,))}, with what x and y are."""

    title: str
    x_name: str
    series: dict[str, tuple[list[float], list[float]]]


def leaderboard_table(board: Leaderboard) -> Table:
    """Return one row a recipe in the order of their rank, each figure with its interval."""
    figures = ("intact", *SHOWN, *EXTRA, *(("gap_closed",) if board.static else ()))
    ends = [name + end for name in figures for end in ("", "_low", "_high")]
    columns = ["recipe", "agent", "runs", "interval_over", *ends]
    columns += ["benefit_p", "spikes_per_s", "operations_per_s"]
    rows = []
    for row in board.rows:
        told = {"intact": row.intact, **row.figures}
        rows.append(
            [
                *(row.label, row.agent, row.runs, row.figures["late_performance"].over),
                *(value for name in figures for value in told[name][:3]),
                *(row.benefit_p, row.spikes_per_s, row.operations_per_s),
            ]
        )
    return Table(columns, rows)


def condition_table(board: Leaderboard) -> Table:
    """Return one row for every recipe and condition, means over its runs: the heat map."""
    rows = []
    for row in board.rows:
        means = {metric: row.table(metric).mean(axis=0) for metric in _OF_CONDITIONS}
        for i, c in enumerate(row.evaluations[0].conditions):
            values = [float(means[metric][i]) for metric in _OF_CONDITIONS]
            rows.append([row.label, c.group, c.leg or "", c.name, c.seen, *values])
    return Table(["recipe", "mode", "leg", "condition", "seen", *_OF_CONDITIONS], rows)


def improvement_table(board: Leaderboard) -> Table:
    """Return the probability that a run of the row's recipe retains more than the column's."""
    labels = [row.label for row in board.rows]
    rows = zip(labels, board.improvement.tolist(), strict=True)
    return Table(["row beats column", *labels], [[label, *values] for label, values in rows])


def profile_lines(board: Leaderboard) -> Lines:
    """Return the share of runs x conditions that retain more than so much, of each recipe."""
    series = {}
    for row in board.rows:
        retention = row.table("retention")
        if np.isfinite(retention).all():
            share = performance_profile(retention, PROFILE_THRESHOLDS)
            series[row.label] = (PROFILE_THRESHOLDS.tolist(), share.tolist())
    return Lines("share of runs x conditions above a retention", "retention", series)


def adaptation_lines(row: Row) -> Lines:
    """Return performance around the onset: live with its interval, frozen, and the intact twin."""
    first, aligned = row.evaluations[0], align(row)
    series = {}
    for kind in aligned.curves:
        middle, low, high = aligned.middle_and_band(kind)
        drawn = {kind: middle}
        if kind == "live" and np.isfinite(low).all():
            drawn |= {"live, low": low, "live, high": high}
        series |= {name: (aligned.time.tolist(), y.tolist()) for name, y in drawn.items()}
    unit = first.unit or "share"
    return Lines(f"{row.label}: {unit}", f"{first.time_unit} from the onset", series)


def learning_lines(learned: Sequence[tuple[str, Sequence[LearningCurve]]]) -> Lines:
    """Return performance over the training, a line for every run of (label, its curves)."""
    series = {}
    for label, curves in learned:
        for i, curve in enumerate(curves):
            name = f"{label} ({i + 1})" if len(curves) > 1 else label
            series[name] = ((curve.steps / 1e6).tolist(), curve.performance.tolist())
    return Lines("performance in training", "million environment steps", series)
