"""Where a report comes from: runs, commands, seeds, versions, and in what the recipes differ."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from html import escape
from typing import Any

from robolearn.adaptation.recipes import differences


@dataclass(frozen=True)
class Source:
    """One training run or zoo agent; what is not known is empty.

    Attributes:
        name: run folder or zoo name.
        seed: of the training.
        command: that trained it.
        versions: of the software that trained it.
        commit: of the checkout that trained it.
    """

    name: str
    seed: int
    command: str = ""
    versions: Mapping[str, Any] | None = None
    commit: str = ""


def sources_table(members: Sequence[tuple[str, int, Sequence[Source]]]) -> str:
    """Return recipes with their runs, seeds and commands; members are (label, colour, sources)."""
    rows = []
    for label, colour, sources in members:
        swatch = f'<span class="swatch c{colour}"></span>'
        cells = [
            _distinct(source.name for source in sources),
            ", ".join(str(source.seed) for source in sources),
            f"<code>{_distinct(source.command for source in sources)}</code>",
            f"<code>{_distinct(source.commit[:10] for source in sources)}</code>",
        ]
        rows.append(
            f'<tr><th scope="row">{swatch}{escape(label)}</th>'
            + "".join(f'<td class="left wrap">{cell}</td>' for cell in cells)
            + "</tr>"
        )
    head = "".join(
        f'<th scope="col" class="left">{name}</th>'
        for name in ("recipe", "runs", "seeds", "trained by", "commit")
    )
    return _scrolled(head, rows)


def _distinct(values: Iterable[str]) -> str:
    """Return different values on lines of their own, escaped; – where nothing is known."""
    known = dict.fromkeys(value for value in values if value)
    return "<br>".join(escape(value) for value in known) or "–"


def versions_table(columns: Mapping[str, Mapping[str, Any]]) -> str:
    """Return versions of software, a column each for {who: versions}; differences stand out."""
    names = dict.fromkeys(name for versions in columns.values() for name in versions)
    rows = []
    for name in names:
        values = [str(versions.get(name) or "–") for versions in columns.values()]
        cells = "".join(f'<td class="left">{escape(value)}</td>' for value in values)
        rows.append(f'<tr><th scope="row">{escape(name)}</th>{cells}</tr>')
    head = "".join(f'<th scope="col" class="left">{escape(n)}</th>' for n in ("package", *columns))
    return _scrolled(head, rows)


def differences_table(labels: Sequence[str], configs: Sequence[Mapping[str, Any]]) -> str:
    """Return the keys in which recipes differ."""
    found = differences(configs)
    if not found:
        return '<p class="note">One recipe: there is nothing to tell apart.</p>'
    rows = []
    for key, values in sorted(found.items()):
        cells = "".join(
            f'<td class="left">{"–" if value is None else escape(str(value))}</td>'
            for value in values
        )
        rows.append(f'<tr><th scope="row"><code>{escape(key)}</code></th>{cells}</tr>')
    head = "".join(f'<th scope="col" class="left">{escape(n)}</th>' for n in ("key", *labels))
    return _scrolled(head, rows)


def _scrolled(head: str, rows: list[str]) -> str:
    return (
        f'<div class="scroll" tabindex="0"><table class="board"><thead><tr>{head}</tr></thead>'
        f"<tbody>{''.join(rows)}</tbody></table></div>"
    )
