"""Claims about a report in W&B: the page's own figures, as tables, line plots and films."""

import json
import os
from pathlib import Path

import numpy as np
import pytest
from tiny_run import tiny_config

from robolearn import reporting
from robolearn.comparing import compare_agents
from robolearn.errors import UserError
from robolearn.report import RecordedLife
from robolearn.reporting import report
from robolearn.training import train

PROTOCOL = "{life_s: 1.0, episodes: 2, walks_above: 0.0, conditions: ['motor_gain:all:0.5']}"
FILM = b"not really a film"


@pytest.fixture
def made(tmp_path, monkeypatch) -> tuple[list[str], str, Path]:
    """Two runs of two recipes, a protocol, and a folder for the page; W&B never leaves the disk."""
    for name in [name for name in os.environ if name.startswith("WANDB_")]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("WANDB_BASE_URL", "http://127.0.0.1:9")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    short = {"generations": 2, "population": 4, "validation_lives": 1, "validate_every": 1}
    for name, rule in (("plastic", "abcd"), ("static", "none")):
        config = tiny_config(name=name, learning=short, agent={"rule": rule})
        train(config, tmp_path / "runs" / name, ["x"])
    (tmp_path / "short.yaml").write_text(PROTOCOL)
    (tmp_path / "page").mkdir()
    return [str(tmp_path / "runs")], str(tmp_path / "short.yaml"), tmp_path / "page"


def tables(folder: Path, name: str) -> list[dict]:
    """The contents of the tables of a W&B run that were logged under `name`."""
    files = (folder / "wandb").glob(f"offline-run-*/files/media/table/{name}_*.table.json")
    return [json.loads(file.read_text()) for file in sorted(files)]


def test_a_report_is_a_wandb_run_of_its_own_with_tables_lines_and_films(made, monkeypatch, capsys):
    runs, protocol, folder = made
    life = RecordedLife("a life", film=FILM)
    monkeypatch.setattr(reporting, "record_life", lambda *_: life)
    report(runs, protocol, folder / "walkers.html", wandb="offline")
    assert "W&B" not in capsys.readouterr().err
    (board,) = compare_agents(runs, protocol).leaderboards

    (ranked,) = tables(folder, "leaderboard/Quadruped")
    rows = [dict(zip(ranked["columns"], row, strict=True)) for row in ranked["data"]]
    assert [row["recipe"] for row in rows] == [row.label for row in board.rows]
    for told, row in zip(rows, board.rows, strict=True):
        after = row.figures["late_performance"]
        assert (told["late_performance"], told["interval_over"]) == (after.value, "lives")
        assert told["late_performance_low"] == after.low
    (heat,) = tables(folder, "conditions/Quadruped")
    cells = {(row[0], row[3]): row[heat["columns"].index("retention")] for row in heat["data"]}
    for row in board.rows:
        (condition,) = row.evaluations[0].conditions
        assert cells[row.label, condition.name] == pytest.approx(condition.metrics["retention"])

    (curve,) = tables(folder, "adaptation/Quadruped/plastic_table")
    lines = {}
    for time, line, value in curve["data"]:
        lines.setdefault(line, {})[time] = value
    assert {"live", "frozen", "intact"} <= set(lines)
    before = [time for time in lines["live"] if time < -1e-9]
    assert before
    live, intact = (np.array([lines[kind][t] for t in before]) for kind in ("live", "intact"))
    np.testing.assert_allclose(live, intact)
    for name in ("adaptation/Quadruped/static", "profile/Quadruped", "learning/Quadruped"):
        assert len(tables(folder, f"{name}_table")) == 1, name

    (run,) = (folder / "wandb").glob("offline-run-*")
    films = list((run / "files/media/videos/films/Quadruped").iterdir())
    assert [film.read_bytes() for film in films] == [FILM, FILM]
    (data,) = run.glob("*.wandb")
    assert b"report" in data.read_bytes()
    assert b"walkers" in data.read_bytes()


def test_a_page_alone_starts_no_wandb_and_a_wrong_mode_is_told_first(made, monkeypatch):
    runs, protocol, folder = made
    report(runs, protocol, folder / "page.html", films=False)
    assert [path.name for path in folder.iterdir()] == ["page.html"]
    monkeypatch.setattr(reporting, "compare_agents", lambda *_, **__: pytest.fail("lived"))
    with pytest.raises(UserError, match="did you mean 'offline'"):
        report(runs, protocol, folder / "page.html", wandb="ofline")


def test_a_wandb_that_cannot_start_costs_one_line_and_no_page(made, monkeypatch, capsys):
    runs, protocol, folder = made
    monkeypatch.setattr("sys.executable", str(folder / "no-python"))
    page = report(runs, protocol, folder / "page.html", films=False, wandb="auto")
    assert page.is_file()
    assert capsys.readouterr().err.count("its process cannot start") == 1
