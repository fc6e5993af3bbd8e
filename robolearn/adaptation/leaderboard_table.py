"""The leaderboard on a terminal: plain text of at most 100 columns, 80 are enough."""

import math

import numpy as np
from rich.console import Console
from rich.table import Table
from rich.text import Text

from robolearn.adaptation.interval_cover import cover_note
from robolearn.adaptation.leaderboard import Leaderboard, Row
from robolearn.adaptation.mean_freeze import MEAN_S
from robolearn.adaptation.table import number, span, wide

_GROUPS = {
    "seen": "conditions that training drew",
    "partly": "conditions that training drew in part",
    "symmetric": "conditions new in place only, as legs share weights",
    "unseen": "unseen conditions",
}
_MARK = "*"  # an interval over lives
_NAIVE = "°"  # an interval over individuals


def print_leaderboard(board: Leaderboard, console: Console) -> None:
    """Print one row a recipe, and what the figures mean and do not mean."""
    unit = f"\n{board.unit}" if board.unit else ""
    table = Table(box=None, padding=(0, 1, 0, 0), pad_edge=False)
    table.add_column("", justify="right")
    table.add_column("recipe", overflow="fold", min_width=10)
    for header in ("runs", f"intact{unit}", f"after{unit}", "retention", "falls", f"benefit{unit}"):
        table.add_column(header, justify="right", no_wrap=True)
    table.add_column("p", justify="right", no_wrap=True)
    for rank, row in enumerate(board.rows, start=1):
        table.add_row(*(Text(cell) for cell in _cells(rank, row)))
    with wide(console):
        first = board.rows[0].evaluations[0]
        lives = f"{first.protocol['episodes']} lives of {first.life_s:g} {first.time_unit}"
        console.print()
        console.print(
            Text(f"{board.env}, protocol {board.protocol}: {board.measure}", style="bold")
        )
        count = len(first.conditions)
        console.print(Text(f"{count} condition{'s' * (count != 1)}, {lives} under each"))
        console.print(table)
        for line in closing_lines(board):
            console.print(Text(line))


def closing_lines(board: Leaderboard) -> list[str]:
    """Return what must be said under a leaderboard: what is shown, over what, how well it holds."""
    lines = [
        "after      performance in the last quarter of life, or before the shift ends; ranks by it",
        "retention  after / the intact twin's, 1 is as good as intact",
        "benefit    of plasticity: (live − frozen) under the shift − (live − frozen) intact",
        "p          of no benefit, by flips of sign over runs (over lives with one run)",
        *frozen_lines(board),
    ]
    lines += cover_lines(board)
    others = [
        f"{row.label} {better:.2f}"
        for row, better in zip(board.rows[1:], board.improvement[0][1:], strict=True)
        if math.isfinite(better)
    ]
    for metric in ("savings", "forgetting"):
        found = [(row.label, row.figures[metric].value) for row in board.rows]
        if any(math.isfinite(value) for _, value in found):
            told = ", ".join(f"{label} {number(value, '+.2f')}" for label, value in found)
            lines.append(f"{metric}: {told}")
    for group in board.groups:
        own = [(row.label, row.groups[group].value) for row in board.rows if group in row.groups]
        told = ", ".join(f"{label} {number(value)}" for label, value in own)
        lines.append(f"retention, {_GROUPS[group]}: {told}")
    if board.static:
        closed = ", ".join(
            f"{row.label} {number(row.figures['gap_closed'].value)}"
            for row in board.rows
            if row.label not in (board.static, board.ceiling)
        )
        ends = f"{board.static} (0) to {board.ceiling} (1)"
        lines.append(f"gap closed, of the performance after from {ends}: {closed or 'no one else'}")
    if others:
        lines.append(f"P(a run of {board.rows[0].label} retains more): {', '.join(others)}")
    return lines


def frozen_lines(board: Leaderboard) -> list[str]:
    """Return what those who can learn make after the onset: alive, and with learning stopped.

    A twin that was not lived under every condition is left out: it would stand beside other lives.
    """
    twins = {
        "frozen_late_performance": "frozen at the onset",
        "mean_frozen_late_performance": f"at the mean of the {MEAN_S:g} s before",
        "yoked_late_performance": "yoked to another life",
    }
    lines = []
    for row in board.rows:
        frozen = [
            f"{how} {number(row.figures[metric].value)}"
            for metric, how in twins.items()
            if np.isfinite(row.table(metric)).all()
        ]
        if frozen:
            alive = number(row.figures["late_performance"].value)
            lines.append(f"{row.label}: after {alive}, {', '.join(frozen)}")
    return lines


def mark(row: Row) -> str:
    """Return the sign beside the number of runs that leads to what its interval is over."""
    if row.runs > 1:
        return ""
    return _NAIVE if row.born_naive else _MARK


def cover_lines(board: Leaderboard) -> list[str]:
    """Return over what the intervals are, and how often such intervals hold."""
    lines = []
    numbers = sorted({row.runs for row in board.rows} - {1})
    if numbers:
        lines.append("IQM over training runs of their means over conditions; no seed is chosen")
        lines += dict.fromkeys(cover_note(runs) for runs in numbers)
    if any(row.runs == 1 and row.born_naive for row in board.rows):
        lines.append(f"{_NAIVE} born naive, learns in life alone: the interval is over individuals")
    if any(row.runs == 1 and not row.born_naive for row in board.rows):
        lines.append(
            f"{_MARK} ONE training run: the interval is over its test lives and tells nothing of "
            "the recipe"
        )
    return lines


def _cells(rank: int, row: Row) -> list[str]:
    figures = row.figures
    return [
        str(rank),
        row.label.replace("/", "/\n"),  # where a zoo agent's name breaks, rather than in a word
        f"{row.runs}{mark(row)}",
        number(row.intact.value),
        span(figures["late_performance"]),
        span(figures["retention"]),
        f"{figures['fall_rate'].value:.0%}",
        span(figures["plasticity_benefit"], "+.2f") if row.plastic else "cannot learn",
        f"{row.benefit_p:.2g}" if math.isfinite(row.benefit_p) else "",
    ]
