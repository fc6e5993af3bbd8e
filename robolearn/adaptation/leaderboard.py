"""Agents side by side: one row a recipe, its interval over training seeds, never its best seed.

The figure of a run is its mean over the conditions: they are a fixed set, all of which count, and
no sample from which an interquartile mean might cut the hard and the easy ones. Over runs it is
the IQM with its interval.

A recipe trained once has no interval over training seeds. What it has is one over its test lives,
which says how well this one agent is known and nothing about the recipe: `Figure.over` tells. Where
nothing is learned between lives, but all of it within one, lives are individuals, and an interval
over them is what is wanted.
"""

import dataclasses
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from robolearn.adaptation.evaluation import Evaluation, LifeRecord
from robolearn.adaptation.metrics import gap_closed
from robolearn.adaptation.paired_lives import INTACT
from robolearn.adaptation.seen import SEEN
from robolearn.adaptation.statistics import (
    interval,
    jackknife_interval,
    probability_of_improvement,
    sign_flip_test,
)

# Of the metrics of a condition, those that a leaderboard ranks and shows.
SHOWN = ("late_performance", "retention", "fall_rate", "plasticity_benefit")
# What the lines under it and its JSON tell beside, defined under some conditions alone.
EXTRA = (
    *("drop", "adaptation", "recovered_share", "savings", "forgetting", "late_reference"),
    *("frozen_late_performance", "mean_frozen_late_performance", "mean_plasticity_benefit"),
    *("yoked_late_performance", "yoked_plasticity_benefit"),
)


class Figure(NamedTuple):
    """A figure with its 95 % interval over "runs", "lives" or "individuals"; "" for none."""

    value: float
    low: float
    high: float
    over: str


@dataclass(frozen=True)
class Member:
    """One recipe that is to be compared.

    Attributes:
        label: short name.
        evaluations: one for each training seed.
        sources: run folder or zoo name of each.
        born_naive: nothing is learned between lives: every life is an individual of its own.
    """

    label: str
    evaluations: list[Evaluation]
    sources: list[str]
    born_naive: bool = False


@dataclass(frozen=True)
class Row:
    """One recipe.

    Attributes:
        label: short name.
        agent: kind of brain.
        plastic: whether it can learn in life.
        evaluations: one for each training seed.
        sources: run folder or zoo name of each.
        intact: mean performance over the whole of intact lives.
        figures: {metric of `SHOWN` or `EXTRA`, or "gap_closed": figure}, over all conditions.
        groups: {one of `SEEN`: figure of the retention}.
        benefit_p: p-value of the paired comparison with the frozen control, over runs, or over
            lives for one run; NaN if it cannot learn.
        spikes_per_s: mean over intact lives and runs; NaN for brains without spikes.
        operations_per_s: synaptic operations, likewise.
        born_naive: as in `Member`.
    """

    label: str
    agent: str
    plastic: bool
    evaluations: list[Evaluation]
    sources: list[str]
    intact: Figure
    figures: dict[str, Figure]
    groups: dict[str, Figure]
    benefit_p: float
    spikes_per_s: float
    operations_per_s: float
    born_naive: bool

    @property
    def runs(self) -> int:
        """Number of training seeds."""
        return len(self.evaluations)

    def table(self, metric: str) -> NDArray[np.float64]:
        """Return a metric (runs, conditions)."""
        return _table(self.evaluations, metric)


@dataclass(frozen=True)
class Leaderboard:
    """Recipes in one env under one protocol, the highest absolute performance under shifts first.

    Attributes:
        env: folder under `envs/`.
        protocol: its name.
        measure: what performance is.
        unit: of it; empty for a share.
        rows: sorted.
        improvement: (rows, rows), the probability that a run of the row retains more than one of
            the column, averaged over conditions; 0.5 on the diagonal.
        static, ceiling: labels of the rows between which a gap is closed; empty for none.
    """

    env: str
    protocol: str
    measure: str
    unit: str
    rows: list[Row]
    improvement: NDArray[np.float64]
    static: str = ""
    ceiling: str = ""

    @property
    def groups(self) -> list[str]:
        """Those of `SEEN` that some row has; a single one tells nothing apart."""
        found = [group for group in SEEN if any(group in row.groups for row in self.rows)]
        return found if len(found) > 1 else []

    def to_json(self) -> dict[str, Any]:
        """Return plain values, without the evaluations."""
        rows = []
        for row in self.rows:
            figures = {name: figure._asdict() for name, figure in row.figures.items()}
            rows.append(
                {
                    "label": row.label,
                    "agent": row.agent,
                    "runs": row.runs,
                    "sources": row.sources,
                    "intact": row.intact._asdict(),
                    **figures,
                    "retention_by_group": {k: f._asdict() for k, f in row.groups.items()},
                    "benefit_p": row.benefit_p,
                    "spikes_per_s": row.spikes_per_s,
                    "operations_per_s": row.operations_per_s,
                    "born_naive": row.born_naive,
                }
            )
        return {
            "env": self.env,
            "protocol": self.protocol,
            "measure": self.measure,
            "unit": self.unit,
            "rows": rows,
            "probability_of_improvement": self.improvement.tolist(),
            "static": self.static,
            "ceiling": self.ceiling,
        }


def make_leaderboard(members: Sequence[Member], static: str = "", ceiling: str = "") -> Leaderboard:
    """Compare recipes that met the same protocol in the same env.

    Args:
        members: one for each row.
        static: label of the member at which the gap that the others close begins; "" for none.
        ceiling: label of the member at which it ends; needed with `static`.
    """
    rows = [_row(member) for member in members]
    if static:
        rows = _with_gap(rows, static, ceiling)
    rows.sort(key=lambda row: -np.nan_to_num(row.figures["late_performance"].value, nan=-np.inf))
    tables = [row.table("retention") for row in rows]
    improvement = np.array(
        [[_improvement(ours, theirs) for theirs in tables] for ours in tables], np.float64
    )
    first = rows[0].evaluations[0]
    return Leaderboard(
        first.env, str(first.protocol["name"]), first.measure, first.unit, rows, improvement,
        static, ceiling,
    )  # fmt: skip


def _with_gap(rows: list[Row], static: str, ceiling: str) -> list[Row]:
    """Add to each row the share of the gap that it closes: a ratio of IQMs, without interval."""
    after = {row.label: row.figures["late_performance"].value for row in rows}
    closed = {x: gap_closed(value, after[static], after[ceiling]) for x, value in after.items()}
    return [
        dataclasses.replace(
            row,
            figures={**row.figures, "gap_closed": Figure(closed[row.label], np.nan, np.nan, "")},
        )
        for row in rows
    ]


def _row(member: Member) -> Row:
    evaluations = member.evaluations
    first = evaluations[0]
    tables = {metric: _table(evaluations, metric) for metric in (*SHOWN, *EXTRA)}
    lives = _OneRun(first, member.born_naive) if len(evaluations) == 1 else None
    figures = {metric: _figure(table, lives, metric) for metric, table in tables.items()}
    groups = {}
    for group in SEEN:
        chosen = np.array([c.seen == group for c in first.conditions])
        if chosen.any():
            groups[group] = _figure(tables["retention"][:, chosen], None, "retention")
    intact = np.array([[e.intact["performance"]] for e in evaluations])
    defined = _defined(tables["plasticity_benefit"])
    benefit_p = np.nan
    if first.plastic and len(defined):
        of_runs = tables["plasticity_benefit"][:, defined].mean(axis=1)
        benefit_p = sign_flip_test(lives.benefits(defined) if lives else of_runs)
    return Row(
        member.label,
        first.agent,
        first.plastic,
        evaluations,
        member.sources,
        _figure(intact, lives, "intact"),
        figures,
        groups,
        benefit_p,
        float(np.mean([e.intact["spikes_per_s"] for e in evaluations])),
        float(np.mean([e.intact["operations_per_s"] for e in evaluations])),
        member.born_naive,
    )


def _table(evaluations: list[Evaluation], metric: str) -> NDArray[np.float64]:
    return np.array([[c.metrics[metric] for c in e.conditions] for e in evaluations])


class _OneRun:
    """The test lives of one training run, by episode."""

    def __init__(self, evaluation: Evaluation, born_naive: bool):
        self.evaluation = evaluation
        self.unit = "individuals" if born_naive else "lives"
        episodes = 1 + max(life.episode for life in evaluation.lives)
        by_key: dict[tuple[str, bool, int], list[LifeRecord]] = {}
        for life in evaluation.lives:
            by_key.setdefault((life.condition, life.frozen, life.episode), []).append(life)
        self._by_key = by_key
        self.episodes = list(range(episodes))
        self._columns = [self._of(c.name) for c in evaluation.conditions]

    def figure(
        self, metric: str, conditions: NDArray[np.int64]
    ) -> Callable[[NDArray[np.int64]], float] | None:
        """Return a metric as a function of episodes, or None if it is not told of lives.

        It is the mean over the conditions of these indices (k,).
        """
        if metric == "intact":
            means = np.array([self._by_key[INTACT, False, e][0].mean for e in self.episodes])
            return lambda chosen: float(means[chosen].mean())
        if metric not in ("late_performance", "retention", "fall_rate", "plasticity_benefit"):
            return None
        if metric == "plasticity_benefit" and not self.evaluation.plastic:
            return None
        columns = [self._columns[i] for i in conditions]

        def over(chosen: NDArray[np.int64]) -> float:
            return float(np.mean([_metric(metric, c, chosen) for c in columns]))

        return over

    def benefits(self, conditions: NDArray[np.int64]) -> NDArray[np.float64]:
        """Return the mean benefit over the conditions of these indices (k,), (episodes,)."""
        return np.mean([self._columns[i]["benefit"] for i in conditions], axis=0)

    def _of(self, condition: str) -> dict[str, NDArray[np.float64]]:
        """Return what `_metric` needs of the lives of one condition, (episodes,) each."""
        live = [self._by_key[condition, False, e][0] for e in self.episodes]
        twins = [self._twin(life, False) for life in live]
        above = self.evaluation.protocol["walks_above"]
        column = {
            "late": np.array([life.late for life in live]),
            "reference": np.array([twin.late for twin in twins]),
            "walked": np.array([twin.mean > above for twin in twins], np.float64),
            "fell": np.array([life.fell for life in live], np.float64),
        }
        if self.evaluation.plastic:
            frozen = [self._by_key[condition, True, e][0] for e in self.episodes]
            still = [self._twin(life, True) for life in live]
            column["benefit"] = (column["late"] - [life.late for life in frozen]) - (
                column["reference"] - [life.late for life in still]
            )
        return column

    def _twin(self, life: LifeRecord, frozen: bool) -> LifeRecord:
        twins = self._by_key[INTACT, frozen, life.episode]
        return next(twin for twin in twins if twin.windows == life.windows)


def _metric(
    metric: str, column: dict[str, NDArray[np.float64]], chosen: NDArray[np.int64]
) -> float:
    """Return a metric of one condition over the episodes `chosen`, as `metrics` defines it."""
    if metric == "late_performance":
        return float(column["late"][chosen].mean())
    if metric == "fall_rate":
        return float(column["fell"][chosen].mean())
    if metric == "plasticity_benefit":
        return float(column["benefit"][chosen].mean())
    walked = column["walked"][chosen]
    below = float((column["reference"][chosen] * walked).sum())
    if not walked.any():
        return 0.0
    above = float((column["late"][chosen] * walked).sum())
    return float(walked.mean()) * above / below if below > 0 else float("nan")


_NONE = Figure(np.nan, np.nan, np.nan, "")


def _figure(table: NDArray[np.float64], lives: _OneRun | None, metric: str) -> Figure:
    """Return the IQM over runs of the means of (runs, conditions), with an interval over runs.

    For a single run the interval is over its lives.
    """
    defined = _defined(table)
    table = table[:, defined]
    if table.size == 0:
        return _NONE
    if len(table) > 1:
        value, low, high, _ = interval(table.mean(axis=1))
        return Figure(value, low, high, "runs")
    estimate = lives.figure(metric, defined) if lives is not None else None
    if lives is None or estimate is None:
        return Figure(float(table.mean()), np.nan, np.nan, "")
    found = jackknife_interval(estimate, len(lives.episodes))
    return Figure(found.iqm, found.low, found.high, lives.unit if found.method != "none" else "")


def _defined(table: NDArray[np.float64]) -> NDArray[np.int64]:
    """Return the conditions (k,) under which a metric (runs, conditions) is defined in all runs.

    The others, such as those with nothing to recover from, are left out.
    """
    return np.flatnonzero(np.isfinite(table).all(axis=0))


def _improvement(ours: NDArray[np.float64], theirs: NDArray[np.float64]) -> float:
    defined = np.isfinite(ours).all(axis=0) & np.isfinite(theirs).all(axis=0)
    if not defined.any():
        return float("nan")
    return probability_of_improvement(ours[:, defined], theirs[:, defined])
