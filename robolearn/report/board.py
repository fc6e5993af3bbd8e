"""The leaderboard of the page: a table that can be sorted, and what must be said under it."""

import math
from collections.abc import Sequence
from html import escape

from robolearn.adaptation.leaderboard import Figure, Leaderboard, Row
from robolearn.adaptation.leaderboard_table import cover_lines, frozen_lines, mark
from robolearn.report.svg import told

_NOTHING = "<td>–</td>"


def leaderboard(board: Leaderboard, colours: list[int]) -> str:
    """Return the leaderboard as a table that can be sorted."""
    unit = board.unit or "share"
    heads = [
        ("runs", ""), ("intact", unit), ("after", unit), ("retention", "after / intact"),
        ("lost at first", "share"), ("falls", "of lives"), ("recovered", "of lives"),
        ("benefit", "of plasticity"), ("p", ""), ("spikes", "1/s"), ("synapses", "1000/s"),
    ]  # fmt: skip
    extra = [name for name in ("savings", "forgetting") if _any(board.rows, name)]
    heads += [(name, "share") for name in extra]
    heads += [(group, "retention") for group in board.groups]
    heads += [("gap closed", "share")] * bool(board.static)
    head = "".join(
        f'<th scope="col"><button type="button">{name}</button><small>{about}</small></th>'
        for name, about in heads
    )
    body = []
    for row, colour in zip(board.rows, colours, strict=True):
        f = row.figures
        cells = [
            f'<td data-v="{row.runs}">{row.runs}{mark(row)}</td>',
            _cell(row.intact),
            _cell(f["late_performance"]),
            _cell(f["retention"]),
            _cell(f["drop"], whole=False),
            _cell(f["fall_rate"], "{:.0%}", whole=False),
            _cell(f["recovered_share"], "{:.0%}", whole=False),
            _cell(f["plasticity_benefit"], "{:+.2f}") if row.plastic else "<td>cannot learn</td>",
            _plain(row.benefit_p, "{:.2g}"),
            _plain(row.spikes_per_s, "{:.0f}"),
            _plain(row.operations_per_s / 1000, "{:.0f}"),
            *(_cell(f[name], "{:+.2f}") for name in extra),
            *(_cell(row.groups[g]) if g in row.groups else _NOTHING for g in board.groups),
            *([_cell(f["gap_closed"])] if board.static else []),
        ]
        swatch = f'<span class="swatch c{colour}"></span>'
        name = f'<th scope="row">{swatch}{escape(row.label)}</th>'
        body.append(f"<tr>{name}{''.join(cells)}</tr>")
    return (
        '<div class="scroll" tabindex="0" role="region" aria-label="Leaderboard">'
        f'<table class="board"><thead><tr><th scope="col">recipe</th>{head}</tr></thead>'
        f"<tbody>{''.join(body)}</tbody></table></div>"
    )


def _any(rows: Sequence[Row], metric: str) -> bool:
    return any(math.isfinite(row.figures[metric].value) for row in rows)


def _cell(figure: Figure, form: str = "{:.2f}", whole: bool = True) -> str:
    """Return a cell with the figure and, if `whole`, its interval."""
    if not math.isfinite(figure.value):
        return _NOTHING
    content = told(figure.value, form)
    if whole and math.isfinite(figure.low):
        content += f" <small>[{told(figure.low)}, {told(figure.high)}]</small>"
    return f'<td data-v="{figure.value:.6g}">{content}</td>'


def _plain(value: float, form: str) -> str:
    if not math.isfinite(value):
        return _NOTHING
    return f'<td data-v="{value:.6g}">{told(value, form)}</td>'


def notes(board: Leaderboard) -> list[str]:
    """Return what must be said of the intervals, under the table."""
    more = []
    if board.groups:
        more.append(
            "Seen, partly, symmetric, unseen: retention where training drew the shift always, for "
            "part of its values, on another leg with weights shared over legs, or never."
        )
    if board.static:
        more.append(
            f"Gap closed: the performance after, 0 at {board.static}, 1 at {board.ceiling}."
        )
    return [
        "Sorted by the performance under the shifts in the last quarter of life, or before they "
        "end; in brackets 95 % intervals. p: of no benefit of plasticity, by flips of sign. "
        "Spikes and synaptic operations: of a brain, per second of intact life. "
        + ". ".join([*frozen_lines(board), *cover_lines(board)])
        + ".",
        *more,
    ]
