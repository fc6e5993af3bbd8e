"""Put the page together: one section an env, then where it all comes from."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from html import escape
from pathlib import Path
from string import Template
from typing import Any

from robolearn.adaptation.leaderboard import Leaderboard, Row
from robolearn.report.board import leaderboard, notes
from robolearn.report.curves import (
    LearningCurve,
    adaptation_figure,
    adaptation_range,
    align,
    learning_figure,
)
from robolearn.report.films import RecordedLife, film_panel, replay_theatre, weights_panel
from robolearn.report.heatmaps import condition_table
from robolearn.report.provenance import (
    Source,
    differences_table,
    sources_table,
    versions_table,
)
from robolearn.report.scores import improvement_table, interval_figure, profile_figure
from robolearn.report.svg import wide_range

_HERE = Path(__file__).parent
_COLOURS = 10
_MOST_BESIDE = 6  # rows of a matrix that fits into one column of the page


@dataclass(frozen=True)
class Subject:
    """What a page knows of one row of a leaderboard beside its evaluations."""

    recipe: Mapping[str, Any]
    sources: Sequence[Source]
    learning: Sequence[LearningCurve] = ()
    life: RecordedLife | None = None


@dataclass(frozen=True)
class Section:
    """One env, its title: the leaderboard, a subject for each row, the protocol as it was read."""

    board: Leaderboard
    subjects: Sequence[Subject]
    protocol: str
    title: str


@dataclass
class _Contents:
    """Sections of the page and the links to them."""

    parts: list[str] = field(default_factory=list)
    links: list[tuple[str, str]] = field(default_factory=list)

    def begin(self, name: str, title: str) -> None:
        self.links.append((name, title))
        self.parts.append(f'<h2 id="{name}">{escape(title)}</h2>')

    def figure(self, title: str, content: str, caption: str, kind: str = "") -> None:
        """Add a figure under a heading, if there is anything in it."""
        if content:
            self.parts.append(
                f'<section class="{kind}"><h3>{escape(title)}</h3><figure>{content}'
                f"<figcaption>{escape(caption)}</figcaption></figure></section>"
            )


def write_page(
    sections: Sequence[Section], title: str, command: str, made_with: Mapping[str, Any]
) -> str:
    """Return the whole page, which needs no other file and no network.

    Args:
        sections: one an env.
        title: of the page.
        command: that made it.
        made_with: versions of the software that evaluated the agents.
    """
    contents = _Contents()
    for number, section in enumerate(sections):
        _add_section(contents, section, number)
    contents.begin("provenance", "Where it comes from")
    _add_provenance(contents, sections, made_with)
    read = {name: (_HERE / f"page.{name}").read_text(encoding="utf-8") for name in _PARTS}
    links = "".join(f'<a href="#{name}">{escape(text)}</a>' for name, text in contents.links)
    return Template(read["html"]).substitute(
        title=escape(title),
        style=read["css"],
        script=read["js"],
        navigation=links,
        lead=escape(_lead(sections)),
        command=escape(command),
        content="\n".join(contents.parts),
        footer=escape(
            "Made by robolearn. This page holds everything that it shows; it loads nothing."
        ),
    )


_PARTS = ("html", "css", "js")


def _lead(sections: Sequence[Section]) -> str:
    recipes = sum(len(section.board.rows) for section in sections)
    runs = sum(row.runs for section in sections for row in section.board.rows)
    return (
        f"{_count(recipes, 'recipe')}, {_count(runs, 'training run')}: how they do when the body "
        "or the world changes in mid-life. Every disturbed life stands beside an intact one, and "
        "beside one whose learning stops at the onset; all share seed and noise."
    )


def _add_section(contents: _Contents, section: Section, number: int) -> None:
    board, subjects, rows = section.board, section.subjects, section.board.rows
    first = rows[0].evaluations[0]
    colours = [i % _COLOURS for i in range(len(rows))]
    unit = board.unit or "share"
    lives = f"{first.protocol['episodes']} lives of {first.life_s:g} {first.time_unit}"
    contents.begin(f"env-{number}", f"{section.title}: {board.protocol}")
    measure = _capital(board.measure) + (f" ({board.unit})" if board.unit else "")
    conditions = _count(len(first.conditions), "condition")
    about = f"{measure}, {conditions}, {lives} under each."
    contents.parts.append(f'<p class="lead">{escape(about)}</p>')
    contents.parts.append(leaderboard(board, colours))
    contents.parts.append("".join(f'<p class="note">{escape(told)}</p>' for told in notes(board)))
    _add_intervals(contents, board, colours, unit)
    _add_adaptation(contents, rows, colours)
    heat = "".join(condition_table(row, c) for row, c in zip(rows, colours, strict=True))
    contents.figure(
        "What is left under every condition",
        f'<div class="grid heats">{heat}</div>',
        "Retention: performance in the last quarter of life, or before the shift ends, over the "
        "intact twin's, mean over the training runs, "
        f"{first.protocol['episodes']} lives each. 1.00 is as good as intact; the "
        "colour ends at 0 and 1. A dot marks conditions that training could draw, a ring those "
        "that it drew for another leg of a brain whose weights are shared over legs.",
    )
    _add_learning(contents, rows, subjects, colours, unit)
    _add_lives(contents, rows, subjects, colours, number)


def _add_intervals(contents: _Contents, board: Leaderboard, colours: list[int], unit: str) -> None:
    rows = board.rows
    panels = []
    for title, metric, label in (
        ("After the shift", "late_performance", unit),
        ("Retention", "retention", "after / intact"),
        ("Benefit of plasticity", "plasticity_benefit", unit),
    ):
        chosen = [
            (row, row.figures[metric], c)
            for row, c in zip(rows, colours, strict=True)
            if metric != "plasticity_benefit" or row.plastic
        ]
        if chosen:
            picked, figures, own = (list(column) for column in zip(*chosen, strict=True))
            drawn = interval_figure(picked, figures, own, title, label)
            panels.append(f'<div class="panel"><h4>{title}</h4>{drawn}</div>')
    if len(rows) > 1:
        profile = profile_figure(board, colours)
        panels.append(f'<div class="panel"><h4>Performance profile</h4>{profile}</div>')
        broad = " broad" if len(rows) > _MOST_BESIDE else ""
        panels.append(
            f'<div class="panel{broad}"><h4>Probability of improvement</h4><div class="grids">'
            f"{improvement_table(board)}</div></div>"
        )
    runs = ", ".join(f"{row.label} {row.runs}" for row in rows)
    others = (
        " The profile tells which share of runs × conditions retains more than so much; the table, "
        "how probably a run of the row retains more than one of the column, over conditions."
    ) * (len(rows) > 1)
    contents.figure(
        "How well, and how surely",
        f'<div class="grid">{"".join(panels)}</div>',
        "Points are interquartile means over training runs, whiskers 95 % intervals; a hollow "
        f"point has a single run, and its whiskers span lives. Training runs: {runs}. The benefit "
        f"is (live − frozen) under the shift − (live − frozen) intact.{others}",
    )


def _add_adaptation(contents: _Contents, rows: list[Row], colours: list[int]) -> None:
    if any(row.evaluations[0].trace_step_s == 0 for row in rows):
        return
    aligned = [align(row) for row in rows]
    y_range = adaptation_range(aligned)
    panels = "".join(
        f'<div class="panel"><h4><span class="swatch c{c}"></span>{escape(row.label)}</h4>'
        f"{adaptation_figure(row, curve, c, y_range)}</div>"
        for row, curve, c in zip(rows, aligned, colours, strict=True)
    )
    key = (
        '<ul class="key">'
        '<li><svg class="c0"><path class="line" d="M0 5H28"/></svg>as it lives</li>'
        '<li><svg class="c0"><path class="line frozen" d="M0 5H28"/></svg>'
        "learning stopped at the onset</li>"
        '<li><svg><path class="line intact" d="M0 5H28"/></svg>intact twin</li></ul>'
    )
    first = rows[0].evaluations[0]
    returns = first.protocol["spans"] and any(len(c.shifts) > 1 for c in first.conditions)
    spans = " The shift goes and comes back within the window." * bool(returns)
    contents.figure(
        "Before, at and after the onset",
        f'{key}<div class="grid">{panels}</div>',
        "Mean over all conditions and lives, aligned at the onset; 0 from a fall on. Lines are "
        "interquartile means over training runs, thin ones the runs; the band is the 95 % interval "
        "of the living agent, cut off at the frame. With a single run, mean and band are over "
        f"lives.{spans}",
    )


def _add_learning(
    contents: _Contents,
    rows: list[Row],
    subjects: Sequence[Subject],
    colours: list[int],
    unit: str,
) -> None:
    drawn = [s.learning for s in subjects if s.learning]
    if not drawn:
        return
    unit = unit if rows[0].evaluations[0].time_unit == "s" else "performance"
    most = max(run.steps[-1] for runs in drawn for run in runs) / 1e6
    values = [value for runs in drawn for run in runs for value in run.performance]
    ranges = ((0.0, most), wide_range(values))
    panels = "".join(
        f'<div class="panel"><h4><span class="swatch c{c}"></span>{escape(row.label)}</h4>'
        f"{learning_figure(list(subject.learning), row.label, unit, c, ranges)}</div>"
        for row, subject, c in zip(rows, subjects, colours, strict=True)
        if subject.learning
    )
    without = [r.label for r, s in zip(rows, subjects, strict=True) if not s.learning]
    missing = f" Not kept for {', '.join(without)}." if without else ""
    contents.figure(
        "Learning",
        f'<div class="grid">{panels}</div>',
        "Mean performance of the lives of each generation in training, which may be shorter than "
        f"those of the protocol: every run thin, their mean bold.{missing}",
    )


def _add_lives(
    contents: _Contents,
    rows: list[Row],
    subjects: Sequence[Subject],
    colours: list[int],
    number: int,
) -> None:
    recorded = [
        (row.label, c, subject.life)
        for row, subject, c in zip(rows, subjects, colours, strict=True)
        if subject.life is not None
    ]
    if not recorded:
        return
    films = "".join(film_panel(*one) for one in recorded)
    button = f'<p><button type="button" data-films="films-{number}">Play all</button></p>'
    contents.figure(
        "Side by side",
        f'{button}<div class="grid" id="films-{number}">{films}</div>',
        "The same life for all, under the condition in which their retention differs most. Of each "
        "recipe the training run is filmed whose performance under the shifts is the median (the "
        "lower of two), not the best one. A damaged limb is red; a film ends with the life.",
    )
    contents.figure(
        "Look around",
        replay_theatre(recorded, number),
        "The same lives in three dimensions: drag to turn, scroll to come closer.",
        "replays",
    )
    weights = "".join(weights_panel(*one) for one in recorded)
    contents.figure(
        "Synapses over the life",
        f'<div class="grid">{weights}</div>' if weights else "",
        "Change of weights since birth in the same lives: time runs to the right, a row is a "
        "synapse, the ones that grow most at the top; orange is more, blue is less.",
    )


def _add_provenance(
    contents: _Contents, sections: Sequence[Section], made_with: Mapping[str, Any]
) -> None:
    parts, columns = contents.parts, {"this report": made_with}
    for section in sections:
        rows = section.board.rows
        colours = [i % _COLOURS for i in range(len(rows))]
        members = [
            (row.label, c, subject.sources)
            for row, c, subject in zip(rows, colours, section.subjects, strict=True)
        ]
        for row, subject in zip(rows, section.subjects, strict=True):
            if subject.sources and subject.sources[0].versions:
                columns[row.label] = subject.sources[0].versions
        parts.append(f"<h3>{escape(section.title)}: runs</h3>{sources_table(members)}")
        labels = [row.label for row in rows]
        table = differences_table(labels, [subject.recipe for subject in section.subjects])
        parts.append(f"<details><summary>In what the recipes differ</summary>{table}</details>")
        seed = rows[0].evaluations[0].seed
        parts.append(
            f"<details><summary>Protocol {escape(section.board.protocol)}, test seed {seed}"
            f"</summary><pre><code>{escape(section.protocol)}</code></pre></details>"
        )
    parts.append(
        f"<details><summary>Versions of the software</summary>{versions_table(columns)}</details>"
    )


def _count(number: int, noun: str) -> str:
    return f"{number} {noun}{'s' * (number != 1)}"


def _capital(words: str) -> str:
    return words[:1].upper() + words[1:]
