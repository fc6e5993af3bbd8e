"""Evaluations as tables: one trained agent by conditions, or several runs with intervals."""

import math
import re
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

import numpy as np
from rich.console import Console
from rich.table import Table
from rich.text import Text

from robolearn.adaptation.evaluation import Evaluation
from robolearn.adaptation.mean_freeze import MEAN_S
from robolearn.adaptation.seen import SEEN
from robolearn.adaptation.statistics import Interval, interval
from robolearn.errors import UserError

WIDTH = 100  # columns that every line keeps to

_ABSENT = "–"
_LEGEND = (
    ("seen", "whether training drew this shift; symmetric: on another leg with the same weights"),
    ("intact", "performance of intact twins in the last quarter of life, or before the shift ends"),
    ("after", "performance of the disturbed lives then; 0 from a fall on"),
    ("retention", "after / intact: 1 is as good as intact, 0 is nothing left"),
    ("drop", "share lost in the first tenth of a life after the onset"),
    ("falls", "share of the disturbed lives that ended in a fall"),
    ("recovery", "median time to make good 90 % of the drop; share that did"),
    (
        "frozen",
        "performance after, with plasticity stopped at the onset: as it was at that instant, and,\n"
        f"where it could be, at its mean over the {MEAN_S:g} s before, for synapses may swing\n"
        "with the gait; with `yoke`, changing as in another life, too",
    ),
    (
        "benefit",
        "plasticity benefit: (live − frozen) disturbed − (live − frozen) intact, of the first\n"
        f"kind; {_ABSENT} where frozen intact twins get nowhere",
    ),
)
_SUMMARISED = (
    "retention",
    "drop",
    "fall_rate",
    "late_reference",
    "late_performance",
    "robustness_area",
    "adaptation",
    "recovered_share",
    "frozen_late_performance",
    "mean_frozen_late_performance",
    "yoked_late_performance",
    "plasticity_benefit",
    "mean_plasticity_benefit",
    "yoked_plasticity_benefit",
)


@dataclass(frozen=True)
class SummarisedCondition:
    """One condition over several runs; `metrics` holds the interval of each."""

    name: str
    group: str
    leg: str | None
    seen: str
    metrics: dict[str, Interval]


@dataclass(frozen=True)
class Summary:
    """Several training runs of one recipe under one protocol: IQM and interval over the runs.

    Attributes:
        env: folder under `envs/`.
        agent: kind of brain.
        protocol: its name.
        unit: of performance, such as "m/s".
        runs: number of training runs.
        conditions: in the protocol's order.
        aggregates: {one of `SEEN`, or "all": {metric: interval}}, where a run stands with its mean
            over these conditions, as in `leaderboard`.
        worst_leg_retention: {group: interval} of each run's worst leg.
    """

    env: str
    agent: str
    protocol: str
    unit: str
    runs: int
    conditions: list[SummarisedCondition]
    aggregates: dict[str, dict[str, Interval]]
    worst_leg_retention: dict[str, Interval]


def summarise(evaluations: list[Evaluation]) -> Summary:
    """Pool the evaluations of several training runs; one run is allowed and has no interval.

    A metric that is undefined (NaN) in any run has no interval: its `method` is "undefined".

    Raises:
        UserError: there is none, or they are not of one env, agent, protocol and set of conditions.
    """
    if not evaluations:
        raise UserError("expected at least one evaluation")
    first = evaluations[0]
    for other in evaluations[1:]:
        for what in ("env", "env_options", "agent", "protocol", "life_s"):
            ours, theirs = getattr(first, what), getattr(other, what)
            if ours != theirs:
                raise UserError(f"evaluations differ in {what}: {ours!r} and {theirs!r}")
        for ours, theirs in zip(first.conditions, other.conditions, strict=True):
            if (ours.name, ours.seen) != (theirs.name, theirs.seen):
                raise UserError(
                    f"evaluations differ in conditions or training: {ours.name} is {ours.seen}, "
                    f"{theirs.name} is {theirs.seen}"
                )
    tables = {
        metric: np.array([[c.metrics[metric] for c in e.conditions] for e in evaluations])
        for metric in _SUMMARISED
    }  # (runs, conditions) each
    columns = {
        group: np.array([group in ("all", c.seen) for c in first.conditions])
        for group in (*SEEN, "all")
    }
    return Summary(
        env=first.env,
        agent=first.agent,
        protocol=str(first.protocol["name"]),
        unit=first.unit,
        runs=len(evaluations),
        conditions=[
            SummarisedCondition(
                condition.name,
                condition.group,
                condition.leg,
                condition.seen,
                {metric: _interval(table[:, i]) for metric, table in tables.items()},
            )
            for i, condition in enumerate(first.conditions)
        ],
        aggregates={
            group: {metric: _interval(t[:, chosen].mean(axis=1)) for metric, t in tables.items()}
            for group, chosen in columns.items()
            if chosen.any()
        },
        worst_leg_retention={
            group: _interval(np.array([e.worst_legs[group][1] for e in evaluations]))
            for group in first.worst_legs
        },
    )


def print_evaluation(evaluation: Evaluation, console: Console) -> None:
    """Print one evaluation: a row a condition, the means of seen and unseen ones, and a legend."""
    protocol, intact, unit = evaluation.protocol, evaluation.intact, evaluation.unit
    table = _Sections(
        ("condition", "seen", f"intact\n{unit}", f"after\n{unit}", "retention", "drop", "falls",
         f"recovery\n{evaluation.time_unit}, share", f"frozen\n{unit}", f"benefit\n{unit}")
    )  # fmt: skip
    for c in evaluation.conditions:
        recovery = _recovery(c.metrics["recovered_share"], c.metrics["median_recovery_s"])
        table.add_condition(c.group, c.leg, c.name, [c.seen, *_cells(c.metrics, recovery)])
    for name, means in evaluation.aggregates.items():
        cells = [f"{means['conditions']:.0f}", *_cells(means, _recovery(means["recovered_share"]))]
        table.add("means over conditions (their number)", name, cells)
    closing = []
    if evaluation.worst_legs:
        closing.append("worst leg by retention")
        for group, (leg, value) in evaluation.worst_legs.items():
            closing.append(f" {group:<26} {leg or '':<12} {number(value)}")
    if not evaluation.plastic:
        closing.append("the agent cannot learn in life: no frozen twins, no plasticity benefit")
    elif protocol["yoke"] and all(
        math.isnan(c.metrics["yoked_late_performance"]) for c in evaluation.conditions
    ):
        closing.append("the agent has no `learned` to tell its weights by: it was not yoked")
    closing.append("one training run: legs and episodes are no replicates, so no interval is given")
    of = f" {unit}" if unit else ""
    with wide(console):
        _print_lines(
            console,
            f"{evaluation.agent} in {evaluation.env}, protocol {protocol['name']}",
            f"{protocol['episodes']} lives of {evaluation.life_s:g} {evaluation.time_unit} a "
            f"condition, {protocol['seeds']} lives of seed {evaluation.seed}",
            f"intact: {intact['performance']:.2f}{of} over the whole life, "
            f"{intact['fall_rate']:.0%} fall, {intact['walked_share']:.0%} walk "
            f"(above {protocol['walks_above']:g}{of}){_unstable(evaluation)}",
        )
        table.print(console)
        _print_lines(console, *closing, *_legend(name for name, _ in _LEGEND))


def print_summary(summary: Summary, console: Console) -> None:
    """Print IQM [95 % interval] over runs: a row a condition, then seen, unseen and worst legs."""
    shown = ("late_performance", "retention", "plasticity_benefit")
    table = _Sections(
        ("condition", "seen", f"after {summary.unit}", "retention", f"benefit {summary.unit}")
    )
    for c in summary.conditions:
        spans = [span(c.metrics[metric]) for metric in shown]
        table.add_condition(c.group, c.leg, c.name, [c.seen, *spans])
    for name, metrics in summary.aggregates.items():
        spans = [span(metrics[metric]) for metric in shown]
        table.add("means over conditions", name, ["", *spans])
    for group, value in summary.worst_leg_retention.items():
        table.add("worst leg of each run", group, ["", "", span(value), ""])
    methods = {value.method for c in summary.conditions for value in c.metrics.values()}
    kinds = ", ".join(sorted(methods - {"none", "undefined"}))
    with wide(console):
        _print_lines(
            console,
            f"{summary.agent} in {summary.env}, protocol {summary.protocol}, "
            f"training runs: {summary.runs}",
        )
        table.print(console)
        _print_lines(
            console,
            f"IQM [95 % interval over training runs, {kinds}]; legs and episodes are no replicates"
            if kinds
            else "IQM without interval: that needs more than one training run, not more episodes",
            *_legend(("seen", "after", "retention", "benefit")),
        )


class _Sections:
    """Rows under headings that may be wider than their column, which a rich table cannot do."""

    def __init__(self, headers: Sequence[str]):
        self._headers = headers
        self._sections: dict[str, list[list[str]]] = {}

    def add(self, heading: str, name: str, cells: list[str]) -> None:
        """Add a row under a heading."""
        self._sections.setdefault(heading, []).append([f" {name}", *cells])

    def add_condition(self, group: str, leg: str | None, name: str, cells: list[str]) -> None:
        """Add a condition by its leg or its severity, whichever its group leaves open."""
        self.add(group, leg or name.removeprefix(f"{group}:"), cells)

    def print(self, console: Console) -> None:
        """Print the headers, then each heading with its rows."""
        lines = [[h.split("\n")[0] for h in self._headers]]
        lines += [row for rows in self._sections.values() for row in rows]
        lines += [[h.split("\n")[-1] for h in self._headers]]
        others = [max(len(line[i]) for line in lines) for i in range(1, len(self._headers))]
        name = min(max(len(line[0]) for line in lines), console.width - sum(others) - len(others))
        widths = [max(name, 8), *others]
        _print_rows(console, widths, [], self._headers)
        for heading, rows in self._sections.items():
            console.print(Text(heading, style="bold"))
            _print_rows(console, widths, rows)


def _print_rows(
    console: Console, widths: list[int], rows: list[list[str]], headers: Sequence[str] = ()
) -> None:
    table = Table(box=None, padding=(0, 1, 0, 0), pad_edge=False, show_header=bool(headers))
    for i, width in enumerate(widths):
        justify = "left" if i < 2 else "right"
        table.add_column(
            headers[i] if headers else "", justify=justify, width=width, overflow="fold"
        )
    for row in rows:
        # Text, since ":leg:" in a plain string would be printed as an emoji.
        table.add_row(*(Text(cell) for cell in row))
    console.print(table)


@contextmanager
def wide(console: Console) -> Iterator[None]:
    """Give a file or a pipe, which has no width of its own, the whole `WIDTH`, not rich's 80."""
    width = console.width
    console.width = min(width, WIDTH) if console.is_terminal else WIDTH
    try:
        yield
    finally:
        console.width = width


def _print_lines(console: Console, *lines: str) -> None:
    for line in lines:
        console.print(Text(line))


def _cells(metrics: dict[str, float], recovery: str) -> list[str]:
    """Return the cells of one row after its name and what was seen."""
    return [
        number(metrics["late_reference"]),
        number(metrics["late_performance"]),
        number(metrics["retention"]),
        number(metrics["drop"]),
        f"{metrics['fall_rate']:.0%}",
        recovery,
        _stopped(metrics),
        number(metrics["plasticity_benefit"], "+.2f"),
    ]


def _stopped(metrics: dict[str, float]) -> str:
    """Return the performance with each ending of plasticity, up to the last that was lived."""
    values = [metrics[f"{name}_late_performance"] for name in ("frozen", "mean_frozen", "yoked")]
    while len(values) > 1 and math.isnan(values[-1]):
        values.pop()
    return " ".join(map(number, values))


def _recovery(share: float, median_s: float = math.nan) -> str:
    if math.isnan(share):
        return _ABSENT
    median = "never" if math.isinf(median_s) else number(median_s, ".1f")
    return f"{share:.0%}" if math.isnan(median_s) else f"{median} {share:.0%}"


def number(value: float, form: str = ".2f") -> str:
    if not math.isfinite(value):
        return _ABSENT
    # Rounded first, so that a tiny loss does not read "-0.00".
    return f"{round(value, 2) + 0.0:{form}}"


def span(figure: tuple[float, float, float, str], form: str = ".2f") -> str:
    """Return "0.90 [.85, 1.02]" for an `Interval` or a `Figure`; without interval, "0.90"."""
    centre, low, high, _ = figure
    if math.isnan(low):
        return number(centre, form)
    ends = (re.sub(r"\b0\.", ".", number(end)) for end in (low, high))
    return f"{number(centre, form)} [{', '.join(ends)}]"


def _interval(values: np.ndarray) -> Interval:
    if not np.isfinite(values).all():
        return Interval(math.nan, math.nan, math.nan, "undefined")
    return interval(values)


def _unstable(evaluation: Evaluation) -> str:
    count = sum(life.unstable for life in evaluation.lives)
    return f"; the physics diverged in {count} of {len(evaluation.lives)} lives" if count else ""


def _legend(names: Iterable[str]) -> list[str]:
    meanings = dict(_LEGEND)
    return [f"{name:<10}{meanings[name]}".replace("\n", "\n" + " " * 10) for name in names]
