"""Claims about `compare`: nothing is lived twice, seeds are pooled, intervals say over what."""

import csv
import dataclasses
import io
import json
import os
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import safetensors.numpy
import yaml
from rich.console import Console
from tiny_run import tiny_config, tiny_mapping

from robolearn import extensions
from robolearn.adaptation import life_cache, paired_lives
from robolearn.adaptation.leaderboard import Member, make_leaderboard
from robolearn.adaptation.leaderboard_table import closing_lines, print_leaderboard
from robolearn.adaptation.life_cache import LifeCache, default_path
from robolearn.adaptation.recipes import differences, labels
from robolearn.adaptation.statistics import iqm
from robolearn.comparing import compare_agents, find_runs, protocol_of
from robolearn.config import parse_config
from robolearn.errors import UserError
from robolearn.evaluating import evaluate_agents
from robolearn.report.board import leaderboard
from robolearn.report.heatmaps import condition_table
from robolearn.tracking.run import RunFolder
from robolearn.training import train
from robolearn.tuning import JOURNAL
from robolearn.zoo import WEIGHTS, find_agent

CONDITIONS = ["limb_damage:front_left:dead", "limb_damage:rear_left:locked"]
STATIC_LIVES = 2 * (1 + 2)  # episodes x (intact + conditions)
LIVES = 3 * STATIC_LIVES  # live, frozen at the instant, frozen at the mean


@pytest.fixture(scope="module")
def runs(tmp_path_factory) -> Path:
    """Two seeds of a plastic recipe and one of a static one, none of which can walk."""
    folder = tmp_path_factory.mktemp("runs")
    once = {"generations": 1, "population": 4, "validation_lives": 1, "validate_every": 1}
    for seed in (0, 1):
        train(tiny_config(seed=seed, learning=once), folder / "plastic" / f"seed-{seed}", ["x"])
    static = tiny_config(learning=once, agent={"rule": "none"})
    train(static, folder / "static" / "seed-0", ["x"])
    return folder


@pytest.fixture
def protocol(tmp_path, monkeypatch) -> Path:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    return write_protocol(tmp_path / "short.yaml", CONDITIONS)


def write_protocol(path: Path, conditions: list[str]) -> Path:
    content = {"life_s": 0.6, "episodes": 2, "walks_above": 0.0, "conditions": conditions}
    path.write_text(yaml.safe_dump(content))
    return path


@pytest.fixture
def lived(monkeypatch) -> list[int]:
    """Grows by the number of lives of every batch that is lived."""
    counts: list[int] = []
    real = paired_lives._live_batch

    def count(env, subject, plan, seeds, protocol, keys, report):
        counts.append(len(keys))
        return real(env, subject, plan, seeds, protocol, keys, report)

    monkeypatch.setattr(paired_lives, "_live_batch", count)
    return counts


def test_a_second_call_lives_nothing_and_finds_the_same(runs, protocol, lived):
    first = compare_agents([str(runs)], str(protocol)).to_json()
    assert sum(lived) == 2 * LIVES + STATIC_LIVES
    lived.clear()
    assert compare_agents([str(runs)], str(protocol)).to_json() == first
    assert not lived
    assert compare_agents([str(runs)], str(protocol), use_cache=False).to_json() == first
    assert sum(lived) > 0


def test_a_condition_more_costs_its_own_lives_alone(runs, protocol, lived):
    agent = str(runs / "plastic/seed-0")
    compare_agents([agent], str(protocol))
    lived.clear()
    write_protocol(protocol, [*CONDITIONS, "motor_gain:all:0.5"])
    compare_agents([agent], str(protocol))
    assert lived == [2 * 3]


def test_other_weights_are_another_agent(runs, protocol, lived, tmp_path):
    compare_agents([str(runs / "plastic/seed-0")], str(protocol))
    lived.clear()
    compare_agents([str(runs / "plastic/seed-1")], str(protocol))
    assert sum(lived) == LIVES


def test_a_killed_comparison_goes_on_where_it_was(runs, protocol, lived):
    code = f"""
import os, signal
from robolearn.adaptation import life_cache, protocol_run
from robolearn.comparing import compare_agents, protocol_of

protocol_run.evaluate.__kwdefaults__["max_rows"] = 2
keep, batches = life_cache.LifeCache.keep, []

def keep_three(self, lives):
    keep(self, lives)
    batches.append(lives)
    if len(batches) == 3:
        os.kill(os.getpid(), signal.SIGKILL)

life_cache.LifeCache.keep = keep_three
compare_agents([{str(runs / "plastic/seed-0")!r}], {str(protocol)!r})
"""
    killed = subprocess.run([sys.executable, "-c", code], env=dict(os.environ), check=False)
    assert killed.returncode == -signal.SIGKILL
    found = compare_agents([str(runs / "plastic/seed-0")], str(protocol))
    assert sum(lived) == LIVES - 3 * 2
    again = compare_agents([str(runs / "plastic/seed-0")], str(protocol), use_cache=False)
    assert found.to_json() == again.to_json()


def test_a_cache_out_of_order_is_told_of_and_stops_nothing(tmp_path):
    path = tmp_path / "lives.sqlite"
    path.write_bytes(b"no database at all, but long enough to be looked at" * 10)
    told: list[str] = []
    cache = LifeCache(path, told.append)
    cache.keep({"a": {"x": np.zeros(2)}})
    assert cache.find(["a"]) == {}
    assert len(told) == 1
    assert "delete the file" in told[0]


def test_lives_come_back_from_the_cache_bit_for_bit(tmp_path):
    arrays = {"x": np.random.default_rng(0).standard_normal(5), "y": np.asarray(np.int64(3))}
    LifeCache(tmp_path / "lives.sqlite").keep({"a": arrays})
    (found,) = LifeCache(tmp_path / "lives.sqlite").find(["a", "b"]).values()
    assert safetensors.numpy.save(found) == safetensors.numpy.save(arrays)


def test_seeds_of_a_recipe_are_one_row_and_none_is_chosen(runs, protocol):
    found = compare_agents([str(runs), str(runs / "plastic/seed-1")], str(protocol))
    (board,) = found.leaderboards
    by_runs = {row.runs: row for row in board.rows}
    assert set(by_runs) == {1, 2}
    pooled = by_runs[2]
    own = pooled.table("late_performance").mean(axis=1)
    assert pooled.figures["late_performance"].value == pytest.approx(iqm(own))
    assert pooled.figures["late_performance"].over == "runs"
    assert {agent.config.seed for agent in found.members[0][board.rows.index(pooled)]} == {0, 1}


def test_evaluate_pools_the_runs_of_one_recipe_alone(runs, protocol, lived, tmp_path):
    def evaluate(folder):
        return evaluate_agents(str(folder), str(protocol), [], None, 0, None, ["robolearn"])

    for recipe in ("plastic", "static"):
        shutil.copytree(runs / recipe / "seed-0", tmp_path / "mixed" / recipe)
    told = r"mixed/plastic and .*mixed/static are .* differ in agent\.rule\); try robolearn compare"
    with pytest.raises(UserError, match=told):
        evaluate(tmp_path / "mixed")
    assert not lived
    assert len(evaluate(runs / "plastic")) == 2


def test_a_zoo_agent_was_picked_and_is_no_replicate_of_runs_of_its_recipe(tmp_path, protocol):
    name = "spiking/quadruped-quickstart"
    shutil.copytree(find_agent(name), tmp_path / "quickstart" / "seed-9")
    config = tmp_path / "quickstart/seed-9/config.yaml"
    content = yaml.safe_load(config.read_text())
    config.write_text(yaml.safe_dump({**content, "seed": 9}))
    (board,) = compare_agents([name, str(tmp_path / "quickstart")], str(protocol)).leaderboards
    assert {row.label: row.runs for row in board.rows} == {name: 1, "quickstart": 1}


def test_one_seed_has_an_interval_over_lives_and_the_table_says_so(runs, protocol):
    (board,) = compare_agents([str(runs)], str(protocol)).leaderboards
    (single,) = [row for row in board.rows if row.runs == 1]
    assert single.figures["late_performance"].over == "lives"
    told = io.StringIO()
    print_leaderboard(board, Console(file=told))
    text = told.getvalue()
    assert "1*" in text
    assert "the interval is over its test lives" in text
    assert "95 % intervals over 3 runs" in text
    assert max(len(line) for line in text.splitlines()) <= 100


def test_of_learners_born_naive_lives_are_individuals_and_seeds_no_replicates(tmp_path, protocol):
    for seed in (0, 1):
        naive = {"kind": "unchanged", "generations": 1, "validation_lives": 1, "validate_every": 1}
        mapping = tiny_mapping(seed=seed, agent={"kind": "mlp", "hidden": [4]})
        config = parse_config({**mapping, "learning": naive}, "naive")
        train(config, tmp_path / "naive" / f"seed-{seed}", ["x"])
        weights = tmp_path / f"naive/seed-{seed}/weights.safetensors"
        if seed:  # the same genome: what learns in life is born the same
            weights.write_bytes((tmp_path / "naive/seed-0/weights.safetensors").read_bytes())
    (board,) = compare_agents([str(tmp_path / "naive")], str(protocol)).leaderboards
    (row,) = board.rows
    assert (row.runs, row.born_naive) == (1, True)
    assert row.figures["late_performance"].over == "individuals"
    told = io.StringIO()
    print_leaderboard(board, Console(file=told))
    assert "the interval is over individuals" in told.getvalue()
    assert "ONE training run" not in told.getvalue()


def test_the_share_of_a_gap_that_is_closed_is_told(runs, protocol):
    ends = (str(runs / "static"), str(runs / "plastic/seed-0"))
    with pytest.raises(UserError, match="lives in quadruped, reward_hebbian/tmaze in tmaze"):
        compare_agents([], between=(ends[0], "reward_hebbian/tmaze"))
    with pytest.raises(UserError, match="are of the same recipe"):
        compare_agents([], between=(ends[1], str(runs / "plastic/seed-1")))
    with pytest.raises(UserError, match="holds 2 recipes, an end of a gap is one"):
        compare_agents([], between=(str(runs), ends[0]))
    (board,) = compare_agents([str(runs / "static")], str(protocol), between=ends).leaderboards
    assert {board.static, board.ceiling} == {row.label for row in board.rows}
    after = {row.label: row.figures["late_performance"].value for row in board.rows}
    gap = {row.label: row.figures["gap_closed"].value for row in board.rows}
    if after[board.ceiling] > after[board.static]:
        assert gap == {board.static: 0, board.ceiling: 1}
    else:
        assert all(np.isnan(value) for value in gap.values())


def test_the_gap_is_measured_from_the_static_agent_to_the_ceiling(runs, protocol):
    (board,) = compare_agents([str(runs)], str(protocol)).leaderboards
    members = [Member(row.label, row.evaluations, row.sources) for row in board.rows]
    best, worst = (board.rows[i].label for i in (0, -1))
    gap = make_leaderboard(members, worst, best)
    assert [row.figures["gap_closed"].value for row in gap.rows] == [1.0, 0.0]
    told = io.StringIO()
    print_leaderboard(gap, Console(file=told))
    assert f"from {worst} (0) to {best} (1)" in told.getvalue()
    assert gap.to_json()["rows"][0]["gap_closed"]["value"] == 1.0


def test_what_is_new_in_place_only_is_told_apart_from_what_is_new(runs, protocol):
    (board,) = compare_agents([str(runs / "static")], str(protocol)).leaderboards
    assert board.groups == ["seen", "unseen"]
    (evaluation,) = board.rows[0].evaluations
    moved, new = evaluation.conditions
    moved = dataclasses.replace(
        moved, seen="symmetric", metrics={**moved.metrics, "retention": 0.5}
    )
    new = dataclasses.replace(new, metrics={**new.metrics, "retention": 0.25})
    told = dataclasses.replace(evaluation, conditions=[moved, new])
    board = make_leaderboard([Member("modular", [told], ["runs/modular"])])
    assert board.groups == ["symmetric", "unseen"]
    lines = "\n".join(closing_lines(board))
    assert "retention, conditions new in place only, as legs share weights: modular 0.50" in lines
    assert "retention, unseen conditions: modular 0.25" in lines
    page = leaderboard(board, [0])
    assert page.index("symmetric") < page.index('<td data-v="0.5">0.50</td>')
    heat = condition_table(board.rows[0], 0)
    assert heat.count("<sup>◦</sup>") == 1
    assert "seen in training on another leg" in heat


def test_the_csv_holds_every_life(runs, protocol):
    found = compare_agents([str(runs / "plastic")], str(protocol))
    lines = list(csv.DictReader(io.StringIO(found.to_csv())))
    assert len(lines) == sum(
        len(e.lives) for row in found.leaderboards[0].rows for e in row.evaluations
    )
    late = [
        float(line["late"])
        for line in lines
        if line["condition"] == CONDITIONS[0] and line["frozen"] == "False"
    ]
    table = found.leaderboards[0].rows[0].table("late_performance")
    assert np.mean(late) == pytest.approx(table[:, 0].mean())


def test_the_seed_of_the_evaluation_chooses_the_lives(runs, protocol, lived):
    agent = [str(runs / "static/seed-0")]
    first = compare_agents(agent, str(protocol), seed=1).to_csv()
    assert compare_agents(agent, str(protocol), seed=1).to_csv() == first
    assert compare_agents(agent, str(protocol), seed=2).to_csv() != first


def test_a_folder_without_runs_and_a_protocol_for_another_env_are_refused(runs, protocol, tmp_path):
    with pytest.raises(UserError, match="holds none that was trained"):
        compare_agents([str(tmp_path)])
    with pytest.raises(UserError, match="does not apply to quadruped"):
        compare_agents([str(runs / "static")], "reversal")
    with pytest.raises(UserError, match=r"apply to quadruped.*; .*apply to tmaze"):
        compare_agents([str(runs / "static"), "reward_hebbian/tmaze"], "reaching_rotation")


def test_the_trials_of_a_tuning_are_left_out_unless_it_is_named(tmp_path):
    run, tuning = tmp_path / "seed-0", tmp_path / "tuning"
    trial = tuning / "trial-0000"
    for folder in (run, trial):
        folder.mkdir(parents=True)
        (folder / WEIGHTS).touch()
    (tuning / JOURNAL).touch()
    assert find_runs([str(tmp_path)]) == [run]
    assert find_runs([str(tuning)]) == [trial]


def test_runs_that_were_not_trained_to_the_end_are_named(runs, protocol, tmp_path, robolearn):
    half = tmp_path / "half"
    shutil.copytree(runs / "plastic" / "seed-0", half)
    RunFolder.open(half).set_status("interrupted")
    argv = ["compare", str(runs / "plastic" / "seed-1"), str(half), "--protocol", str(protocol)]
    out = robolearn(*argv, "--json", str(tmp_path / "raw.json")).out
    told = [line for line in out.splitlines() if "to the end" in line]
    assert told == [f"not trained to the end: {half} (interrupted)"]
    assert json.loads((tmp_path / "raw.json").read_text())["unfinished"] == [
        f"{half} (interrupted)"
    ]


def test_recipes_of_one_name_are_told_apart_by_what_differs():
    one = {"name": "a", "agent": {"kind": "spiking", "rule": "abcd", "hidden": 4}}
    two = {"name": "a", "agent": {"kind": "spiking", "rule": "none", "hidden": 4}}
    mlp = {"name": "a", "agent": {"kind": "mlp", "hidden": [4]}}
    assert labels([one, two]) == ["a rule=abcd", "a rule=none"]
    assert labels([one, mlp]) == ["a kind=spiking", "a kind=mlp"]
    assert labels([{"name": "b"}, one]) == ["b", "a"]
    assert differences([one, two]) == {"agent.rule": ["abcd", "none"]}


def test_the_cache_lies_in_the_users_cache_folder(monkeypatch, tmp_path):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    assert default_path() == tmp_path / "robolearn" / "lives.sqlite"


def test_another_line_of_code_is_another_life(runs, protocol, lived, monkeypatch):
    agent = [str(runs / "static/seed-0")]
    compare_agents(agent, str(protocol))
    lived.clear()
    monkeypatch.setattr(life_cache, "_digest_of_code", lambda: "another")
    compare_agents(agent, str(protocol))
    assert sum(lived) == STATIC_LIVES


def test_all_code_that_a_life_runs_through_is_in_its_digest():
    code = (
        "import sys, robolearn.adaptation.paired_lives; "
        "print(*(m.__file__ for n, m in sys.modules.items() if n.startswith('robolearn')))"
    )
    shown = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    root = life_cache._PACKAGE
    loaded = {Path(file).relative_to(root).as_posix() for file in shown.stdout.split()}
    # What these decide (seeds, what befalls a life, files of --with) stands in the digest itself.
    spared = (
        "adaptation/__init__",
        "adaptation/life_cache",
        "adaptation/protocol",
        "adaptation/seen",
    )
    spared = (*spared, "learning/", "extensions")
    known = (*life_cache._CODE, *spared, "__init__", "errors")
    assert [file for file in sorted(loaded) if not file.startswith(known)] == []
    assert {"adaptation/cost.py", "schema.py", "definitions.py"} <= loaded


def test_another_line_of_an_extension_is_another_life(runs, protocol, lived, monkeypatch, tmp_path):
    agent = [str(runs / "static/seed-0")]
    counts = []
    for text in ("A = 1", "A = 1", "A = 2"):
        monkeypatch.setattr(extensions, "_loaded", set())
        (tmp_path / "mine.py").write_text(text)
        extensions.load_extension(tmp_path / "mine.py")
        lived.clear()
        compare_agents(agent, str(protocol))
        counts.append(sum(lived))
    assert counts == [STATIC_LIVES, 0, STATIC_LIVES]


def test_a_protocol_is_each_envs_own_unless_another_is_named():
    assert [protocol_of(env, None).name for env in ("quadruped", "tmaze", "reach", "avoid")] == [
        "adaptation", "reversal", "reaching_rotation", "wheels",
    ]  # fmt: skip
    assert protocol_of("quadruped", "damage", 3).episodes == 3
    with pytest.raises(UserError, match="delayed_match has no protocol of its own"):
        protocol_of("delayed_match", None)
