"""Heat maps: what each agent retains under every condition, and how its synapses change in life."""

import base64
import math
import struct
import zlib
from collections import Counter
from html import escape

import numpy as np
from numpy.typing import NDArray

from robolearn.adaptation.leaderboard import Row
from robolearn.report.svg import told


def condition_table(row: Row, colour: int) -> str:
    """Return leg × mode as a table whose cells hold the mean retention over runs.

    Conditions without a leg, and those that share leg and mode (as two onsets of one damage do),
    stand in rows of their own by name.
    """
    conditions = row.evaluations[0].conditions
    means = row.table("retention").mean(axis=0)
    pairs = list(zip(means, conditions, strict=True))
    sharing = Counter((c.leg, c.group) for c in conditions)
    value = {
        (c.leg, c.group): (m, c)
        for m, c in pairs
        if c.leg is not None and sharing[c.leg, c.group] == 1
    }
    legs = list(dict.fromkeys(leg for leg, _ in value))
    groups = list(dict.fromkeys(group for _, group in value))
    parts = []
    if legs:
        head = "".join(f'<th scope="col">{escape(_short(group))}</th>' for group in groups)
        body = []
        for leg in legs:
            cells = [_cell(*value[leg, g]) if (leg, g) in value else "<td></td>" for g in groups]
            body.append(
                f'<tr><th scope="row">{escape(leg.replace("_", " "))}</th>{"".join(cells)}</tr>'
            )
        parts.append(_table(head, body, "leg"))
    others = [(m, c) for m, c in pairs if (c.leg, c.group) not in value]
    if others:
        cells = [
            f'<tr><th scope="row">{escape(_tidy(c.name))}</th>{_cell(m, c)}</tr>' for m, c in others
        ]
        parts.append(_table('<th scope="col">retention</th>', cells, "condition", "wide"))
    heading = f'<h4><span class="swatch c{colour}"></span>{escape(row.label)}</h4>'
    return f'<div class="panel">{heading}<div class="grids">{"".join(parts)}</div></div>'


_MARKS = {
    "seen": ("<sup>•</sup>", ", seen in training"),
    "partly": ("<sup>•</sup>", ", partly seen in training"),
    "symmetric": ("<sup>◦</sup>", ", seen in training on another leg that the same weights drive"),
    "unseen": ("", ""),
}


def _cell(mean: float, condition) -> str:
    mark, seen = _MARKS[condition.seen]
    if not math.isfinite(mean):
        return '<td class="same">–</td>'
    tip = escape(f"{condition.name}: retention {mean:.2f}{seen}", quote=True)
    share = min(max(float(mean), 0.0), 1.0)
    shade = f'class="{heat_class(share)}" style="--v:{share:.2f}"'
    return f'<td {shade} data-tip="{tip}">{told(mean)}{mark}</td>'


def heat_class(share: float) -> str:
    """Return the class of a cell: where its ground is too dark or too light, the ink turns.

    In the dark theme that is so above 0.57, in the light one above 0.84 (`page.css`).
    """
    return "heat" + " mid" * (share > 0.57) + " strong" * (share > 0.84)


def _table(head: str, body: list[str], corner: str, kind: str = "") -> str:
    return (
        f'<table class="matrix {kind}"><thead><tr><th scope="col">{corner}</th>{head}</tr></thead>'
        f"<tbody>{''.join(body)}</tbody></table>"
    )


def _short(group: str) -> str:
    """Return the name of a group in a narrow column."""
    return _tidy(group).replace("limb damage ", "").replace(" leg ", " ")


def _tidy(name: str) -> str:
    return name.replace("_", " ").replace(":", " ")


def weights_image(times: NDArray[np.floating], weights: NDArray[np.floating]) -> tuple[str, float]:
    """Return a picture of the change of weights since birth, as a data address, and its limit.

    Args:
        times: (S,) s of life.
        weights: (S, k), at most some dozens of synapses.

    Returns:
        A PNG whose columns are moments and whose rows are synapses, those alike beside each other;
        blue is less than at birth, orange is more, and the strongest colour is the limit.
    """
    change = (weights - weights[:1]).T  # (k, S)
    limit = float(np.abs(change).max()) or 1.0
    order = np.argsort(change[:, -1], kind="stable")[::-1]
    share = np.clip(change[order] / limit, -1, 1)[..., None]  # (k, S, 1)
    more, less = np.array([230, 120, 20.0]), np.array([40, 100, 190.0])
    ground = np.array([244, 244, 242.0])
    colours = ground + np.abs(share) * (np.where(share > 0, more, less) - ground)
    return png(colours.round().astype(np.uint8)), limit


def png(pixels: NDArray[np.uint8]) -> str:
    """Return pixels (h, w, 3) as a data address of a PNG."""
    height, width = pixels.shape[:2]
    rows = np.concatenate([np.zeros((height, 1), np.uint8), pixels.reshape(height, -1)], axis=1)

    def chunk(kind: bytes, content: bytes) -> bytes:
        checked = kind + content
        return struct.pack(">I", len(content)) + checked + struct.pack(">I", zlib.crc32(checked))

    head = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    data = (
        b"\x89PNG\r\n\x1a\n"
        + chunk(b"IHDR", head)
        + chunk(b"IDAT", zlib.compress(rows.tobytes(), 9))
        + chunk(b"IEND", b"")
    )
    return f"data:image/png;base64,{base64.b64encode(data).decode()}"
