"""Claims about the report: a page that needs nothing else, figures that show what they say."""

import dataclasses
import re
import shutil
from html.parser import HTMLParser
from pathlib import Path

import numpy as np
import pytest
from tiny_run import tiny_config

from robolearn import reporting
from robolearn.adaptation.evaluation import LifeRecord
from robolearn.comparing import compare_agents
from robolearn.errors import UserError
from robolearn.report.curves import align
from robolearn.report.heatmaps import condition_table, png
from robolearn.report.provenance import differences_table
from robolearn.report.svg import Frame, ticks, told, wide_range
from robolearn.reporting import median_agent, report
from robolearn.training import train

PROTOCOL = """
life_s: 1.0
episodes: 2
walks_above: 0.0
conditions:
  - {kind: limb_damage, leg: [front_left, rear_left], mode: [dead, locked]}
  - motor_gain:all:0.5
"""


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """Three runs of two recipes and their protocol; returns (folder of runs, protocol)."""
    folder = tmp_path_factory.mktemp("report")
    once = {"generations": 2, "population": 4, "validation_lives": 1, "validate_every": 1}
    for seed in (0, 1):
        config = tiny_config(seed=seed, learning=once, name="plastic")
        train(config, folder / "runs" / f"plastic-{seed}", ["robolearn", "train", "tiny"])
    static = tiny_config(learning=once, agent={"rule": "none"}, name="static")
    train(static, folder / "runs" / "static", ["robolearn", "train", "tiny"])
    (folder / "short.yaml").write_text(PROTOCOL)
    return folder / "runs", folder / "short.yaml"


@pytest.fixture(scope="module")
def page(made, tmp_path_factory) -> str:
    runs, protocol = made
    out = tmp_path_factory.mktemp("page") / "report.html"
    assert (
        report([str(runs)], str(protocol), out, films=False, command="robolearn report <b>&") == out
    )
    return out.read_text(encoding="utf-8")


@pytest.fixture(scope="module")
def rows(made):
    (board,) = compare_agents([str(made[0])], str(made[1])).leaderboards
    return {row.agent + str(row.runs): row for row in board.rows}


class Tags(HTMLParser):
    def __init__(self, page: str):
        super().__init__()
        self.open, self.addresses, self.ids, self.pictures = [], [], [], []
        self.feed(page)

    def handle_starttag(self, tag, attrs):
        given = dict(attrs)
        self.addresses += [v for k, v in attrs if k in ("src", "href", "srcset", "action") and v]
        self.ids += [given["id"]] if "id" in given else []
        if (tag == "svg" and given.get("role") == "img") or tag == "img":
            self.pictures.append(given.get("aria-label") or given.get("alt") or "")
        if tag not in ("meta", "link", "br", "img", "input"):
            self.open.append(tag)

    def handle_startendtag(self, tag, attrs):
        pass

    def handle_endtag(self, tag):
        assert self.open.pop() == tag


def test_the_page_is_whole_and_loads_nothing(page):
    tags = Tags(page)
    assert tags.open == []
    assert tags.addresses
    assert all(address.startswith(("#", "data:")) for address in tags.addresses)
    assert "url(" not in page
    assert "@import" not in page
    assert len(set(tags.ids)) == len(tags.ids)
    assert {a[1:] for a in tags.addresses if a.startswith("#")} <= set(tags.ids)


def test_every_picture_is_told_in_words(page):
    pictures = Tags(page).pictures
    assert len(pictures) >= 8
    assert all(len(words) > 10 for words in pictures)


def test_words_of_the_users_are_no_markup(page):
    assert "<b>" not in page
    assert "robolearn report &lt;b&gt;&amp;" in page


def test_the_page_tells_runs_intervals_and_what_they_are_over(page):
    assert "1*" in page
    assert "95 % intervals over 3 runs" in page
    assert "75% where half of the runs fail" in page
    assert "ONE training run: the interval is over its test lives" in page
    assert "robolearn train tiny" in page


def test_every_condition_is_in_the_heat_map(page):
    for name in ("limb_damage:front_left:dead", "limb_damage:rear_left:locked", "motor_gain:all"):
        assert f'data-tip="{name}' in page


def test_conditions_that_share_leg_and_mode_are_shown_by_name(rows):
    row = rows["spiking2"]
    first, second, *rest = row.evaluations[0].conditions
    again = dataclasses.replace(second, name=f"{first.name}@0s", leg=first.leg, group=first.group)
    twins = [first, again, *rest]
    changed = [dataclasses.replace(one, conditions=twins) for one in row.evaluations]
    table = condition_table(dataclasses.replace(row, evaluations=changed), 0)
    for condition in twins:
        assert table.count(f'data-tip="{condition.name}:') == 1
    for condition in twins[:2]:
        assert f'<th scope="row">{condition.name.replace("_", " ").replace(":", " ")}</th>' in table


def test_a_film_that_fails_in_any_way_costs_one_line_and_no_page(
    made, tmp_path, monkeypatch, capsys
):
    def break_down(*_):
        raise RuntimeError("the camera\nbroke")

    monkeypatch.setattr(reporting, "record_life", break_down)
    assert report([str(made[0])], str(made[1]), tmp_path / "page.html").is_file()
    assert "no film of static: the camera broke\n" in capsys.readouterr().err


@pytest.mark.parametrize("content", ["{", "[]"])
def test_a_broken_run_json_is_told_in_one_line_and_costs_no_page(made, tmp_path, content, capsys):
    run = tmp_path / "static"
    shutil.copytree(made[0] / "static", run)
    (run / "run.json").write_text(content)
    assert report([str(run)], str(made[1]), tmp_path / "page.html", films=False).is_file()
    (told,) = [line for line in capsys.readouterr().err.splitlines() if "run.json" in line]
    assert told.startswith(f"no command and versions of {run}: ")


def test_curves_are_aligned_at_the_onset_and_are_the_means_of_the_traces(rows):
    row = rows["spiking2"]
    aligned = align(row)
    assert aligned.over == "runs"
    assert set(aligned.curves) == {"live", "frozen", "intact"}
    assert aligned.time[0] < 0 < aligned.time[-1]
    zero = int(np.flatnonzero(np.isclose(aligned.time, 0))[0])
    own = row.evaluations[0]

    def at_onset(life: LifeRecord) -> float:
        return life.trace[int(life.onset_s / own.trace_step_s + 1e-9)]

    names = {c.name for c in own.conditions}
    shifted = [x for x in own.lives if x.condition in names and not x.frozen]
    expected = np.mean([at_onset(life) for life in shifted])
    assert aligned.curves["live"][0, zero] == pytest.approx(expected)
    before = aligned.time < -1e-9
    assert np.allclose(aligned.curves["live"][:, before], aligned.curves["intact"][:, before])


def test_a_single_run_has_a_band_over_lives_and_no_frozen_twin_if_it_cannot_learn(rows):
    aligned = align(rows["spiking1"])
    assert aligned.over == "lives"
    assert set(aligned.curves) == {"live", "intact"}


def test_the_run_that_is_filmed_is_the_median_one_and_never_the_best(made):
    found = compare_agents([str(made[0])], str(made[1]))
    board, members = found.leaderboards[0], found.members[0]
    for row, group in zip(board.rows, members, strict=True):
        means = dict(zip(row.sources, row.table("late_performance").mean(axis=1), strict=True))
        assert means[median_agent(row, group).name] == min(means.values())  # of one, or of two


def test_the_name_of_the_page_must_end_in_html_and_its_folder_exist(tmp_path):
    for out in (tmp_path / "page.pdf", tmp_path / "nowhere" / "page.html"):
        with pytest.raises(UserError, match="--out"):
            report([], None, out)


# Pieces


@pytest.mark.parametrize(
    ("low", "high", "expected"),
    [(0, 1, [0, 0.25, 0.5, 0.75, 1]), (-0.3, 0.7, [-0.25, 0, 0.25, 0.5]), (0, 9, [0, 2.5, 5, 7.5])],
)
def test_ticks_are_round_numbers_within_the_range(low, high, expected):
    assert ticks(low, high) == expected


def test_a_frame_puts_the_ends_of_its_ranges_at_its_margins():
    frame = Frame((2, 4), (-1, 1), width=100, height=80, left=20, bottom=10, top=5, right=5)
    assert (frame.x(2), frame.x(4)) == (20, 95)
    assert (frame.y(-1), frame.y(1)) == (70, 5)
    assert frame.path([2, 3, 4], [0, np.nan, 1], "k").count("M") == 2
    low, high = wide_range([0.2, np.nan, 0.5])
    assert low == 0
    assert 0.5 < high < 0.6


def test_numbers_have_a_true_minus_and_no_negative_nought():
    assert [told(v) for v in (-0.001, -0.25, 1.0, np.nan)] == ["0.00", "−0.25", "1.00", "–"]


def test_a_png_holds_its_pixels():
    import base64
    import io

    from PIL import Image

    pixels = np.random.default_rng(0).integers(0, 256, (3, 5, 3), dtype=np.uint8)
    address = png(pixels)
    content = base64.b64decode(address.removeprefix("data:image/png;base64,"))
    assert np.array_equal(np.asarray(Image.open(io.BytesIO(content))), pixels)


def test_only_keys_that_differ_are_shown():
    table = differences_table(["a", "b"], [{"x": 1, "y": {"z": 2}}, {"x": 1, "y": {"z": 3}}])
    assert re.findall("<code>(.*?)</code>", table) == ["y.z"]


def test_the_page_and_its_style_are_beside_the_code():
    import robolearn.report

    folder = Path(robolearn.report.__file__).parent
    assert {p.suffix for p in folder.glob("page.*")} == {".html", ".css", ".js", ".py"}
    assert dataclasses.is_dataclass(robolearn.report.Section)
