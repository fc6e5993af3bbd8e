"""Figures of how well recipes do: intervals, performance profiles, who beats whom."""

import math
from html import escape

import numpy as np

from robolearn.adaptation.leaderboard import Figure, Leaderboard, Row
from robolearn.report.heatmaps import heat_class
from robolearn.report.svg import Frame, line, picture, text, ticks, told, wide_range
from robolearn.report.tidy import profile_lines

_ROW = 30.0


def interval_figure(
    rows: list[Row], figures: list[Figure], colours: list[int], title: str, unit: str
) -> str:
    """Draw a point and its interval for every recipe; a hollow point has one over lives alone."""
    ends = [value for f in figures for value in (f.value, f.low, f.high)]
    low, high = wide_range(ends)
    width, left, top = 340.0, 12.0, 8.0
    height = top + _ROW * len(rows) + 34
    frame = Frame((low, high), (0, 1), width, height, left=left)
    base = height - frame.bottom
    parts = []
    for value in ticks(low, high, 5):
        parts.append(line(frame.x(value), top, frame.x(value), base, "grid"))
        parts.append(text(frame.x(value), base + 15, told(value, "{:g}"), "tick", "middle"))
    if low < 0 < high:
        parts.append(line(frame.x(0), top, frame.x(0), base, "axis"))
    parts.append(text((left + width - frame.right) / 2, height - 4, unit, "label", "middle"))
    for i, (row, figure, colour) in enumerate(zip(rows, figures, colours, strict=True)):
        y = top + _ROW * (i + 0.5) + 6
        parts.append(text(left, y - 9, row.label, "name"))
        if not math.isfinite(figure.value):
            parts.append(text(left, y + 5, "not defined", "tick"))
            continue
        tip = f"{row.label}: {told(figure.value)}"
        if math.isfinite(figure.low):
            tip += f" [{told(figure.low)}, {told(figure.high)}] over {figure.over}"
            x1, x2 = frame.x(figure.low), frame.x(figure.high)
            parts.append(line(x1, y, x2, y, f"whisker c{colour}"))
            parts += [line(x, y - 4, x, y + 4, f"whisker c{colour}") for x in (x1, x2)]
        hollow = " hollow" if figure.over != "runs" else ""
        parts.append(
            f'<circle class="dot c{colour}{hollow}" cx="{frame.x(figure.value):.1f}" cy="{y:.1f}" '
            f'r="5" data-tip="{escape(tip, quote=True)}"/>'
        )
    values = "; ".join(f"{r.label} {told(f.value)}" for r, f in zip(rows, figures, strict=True))
    return picture(width, height, f"{title}: {values}", "".join(parts))


def profile_figure(board: Leaderboard, colours: list[int]) -> str:
    """Draw the share of runs × conditions that retain more than so much."""
    series = profile_lines(board).series
    frame = Frame((0, 1.2), (0, 1.0), top=16)
    content = frame.axes("retention above", "share of runs × conditions")
    for row, colour in zip(board.rows, colours, strict=True):
        if row.label in series:
            thresholds, profile = map(np.asarray, series[row.label])
            content += frame.path(thresholds, profile, f"line c{colour} d{colour}")
    names = ", ".join(row.label for row in board.rows)
    key = "".join(
        f'<li><svg class="c{c}"><path class="line d{c}" d="M0 5H28"/></svg>{escape(row.label)}</li>'
        for row, c in zip(board.rows, colours, strict=True)
    )
    drawn = picture(frame.width, frame.height, f"Performance profiles of {names}", content)
    return f'{drawn}<ul class="key">{key}</ul>'


def improvement_table(board: Leaderboard) -> str:
    """Return the probability that the row's runs retain more than the column's, as a table."""
    head = "".join(f'<th scope="col">{i + 1}</th>' for i in range(len(board.rows)))
    lines = []
    for i, row in enumerate(board.rows):
        cells = []
        for j, value in enumerate(board.improvement[i]):
            if i == j or not math.isfinite(value):
                cells.append('<td class="same">–</td>')
            else:
                shade = f'class="{heat_class(float(value))}" style="--v:{value:.2f}"'
                cells.append(f"<td {shade}>{value:.2f}</td>")
        name = f'<th scope="row">{i + 1} {escape(row.label)}</th>'
        lines.append(f"<tr>{name}{''.join(cells)}</tr>")
    return (
        f'<table class="matrix"><thead><tr><th scope="col">row beats column</th>{head}</tr>'
        f"</thead><tbody>{''.join(lines)}</tbody></table>"
    )
