"""The benchmark's figures have the promised form, and its two loops make the same physics."""

import io
import json
import math

import numpy as np
import pytest
from rich.console import Console

from robolearn.bench import run_bench
from robolearn.bench.measurement import Measurement, Spread, ratios
from robolearn.bench.open_loop import OpenLoop
from robolearn.bench.printing import Printer
from robolearn.bench.time_shares import TimeShares
from robolearn.bench.vector_envs import measure_vector_envs
from robolearn.envs.vector_env import RobotVectorEnv
from robolearn.errors import UserError

# A ratio of a few milliseconds on a busy machine may be off by one stall: only that both sides were
# measured, in one unit, is tested.
PLAUSIBLE = (0.001, 100.0)

TINY = {
    "lifetimes": {"individuals": 4, "steps": 15, "repetitions": 2},
    "brains": {"individuals": 3, "calls": 2, "repetitions": 2},
    "env steps": {"individuals": 4, "steps": 5, "repetitions": 2},
}


@pytest.fixture(scope="module")
def objects(tmp_path_factory):
    """Return what a tiny benchmark writes."""
    path = tmp_path_factory.mktemp("bench") / "bench.json"
    run_bench(True, path, TINY)
    return json.loads(path.read_text())


def test_json_is_a_list_of_named_measurements(objects):
    names = [entry["name"] for entry in objects]
    assert len(set(names)) == len(names)
    for entry in objects:
        assert entry["unit"]
        assert entry["repetitions"] >= 1
        low, high = entry["range"]
        assert 0 <= low <= entry["value"] <= high
        assert math.isfinite(high)
        assert "mujoco 3." in entry["measured_with"]


def test_lifetimes_and_env_steps_are_compared_with_physics(objects):
    compared = {e["name"]: e["ratio_to_physics"] for e in objects if "ratio_to_physics" in e}
    assert {"lifetimes/standing", "lifetimes/moving", "lifetimes/falling"} <= set(compared)
    assert {"env steps/robolearn/Ant-v0", "env steps/robolearn/Quadruped-v0"} <= set(compared)
    for ratio in compared.values():
        assert PLAUSIBLE[0] < ratio < PLAUSIBLE[1]


def test_every_kind_of_agent_is_measured(objects):
    names = {entry["name"] for entry in objects}
    assert {"brains/mlp", "brains/gru", "brains/hebbian", "brains/spiking"} <= names


@pytest.mark.parametrize("readout", ["standing", "moving", "falling"])
def test_shares_of_a_lifetime_sum_to_one(objects, readout):
    prefix = f"lifetimes/{readout}/share/"
    shares = {e["name"].removeprefix(prefix): e for e in objects if e["name"].startswith(prefix)}
    assert {"physics", "brain", "observation", "reward", "birth", "bookkeeping"} <= set(shares)
    # TINY makes one repetition of the shares, so that the medians sum to 1 too.
    assert sum(entry["value"] for entry in shares.values()) == pytest.approx(1.0)


@pytest.mark.parametrize("name", ["quadruped", "ant"])
def test_open_loop_retraces_a_closed_loop_in_which_bodies_differ_and_some_have_died(name):
    env = RobotVectorEnv(
        name, 3, autoreset_mode="Disabled", shifts=["motor_gain:all:0.3,1.5", "limb_damage"]
    )
    open_loop = OpenLoop(env.simulation)
    env.reset(seed=3)
    open_loop.start()
    rng = np.random.default_rng(0)
    for step in range(12):
        alive = np.array([True, True, step < 6])
        env._done = ~alive
        env.step(rng.uniform(-1, 1, env.action_space.shape).astype(np.float32))
        open_loop.record(alive)
    assert open_loop.recorded == 12
    assert open_loop.replay() > 0
    assert open_loop.recorded == 0
    open_loop.check()


def test_open_loop_notices_that_it_made_other_physics():
    env = RobotVectorEnv("quadruped", 2, autoreset_mode="Disabled")
    open_loop = OpenLoop(env.simulation)
    env.reset(seed=0)
    open_loop.start()
    env.step(np.ones(env.action_space.shape, np.float32))
    with pytest.raises(RuntimeError, match="qpos"):
        open_loop.check()


def test_vector_envs_compare_the_same_dynamics():
    measured = {
        m.name.removeprefix("vector envs/ant/"): m.to_mapping()
        for m in measure_vector_envs(envs=4, fewer=2, steps=3, repetitions=1)
    }
    assert {"robolearn", "gymnasium_async", "sb3_subproc", "sb3_subproc, 2 envs"} <= set(measured)
    same = {name: entry["same_dynamics"] for name, entry in measured.items() if entry["envs"] == 4}
    assert len(same) == 4
    assert all(same.values())
    ours = measured["robolearn"]
    for peer in ("gymnasium_async", "sb3_subproc"):
        assert 0 < ours[f"ratio_to_best_{peer}"] <= ours[f"ratio_to_{peer}"]


@pytest.mark.slow
def test_start_up_tells_compiled_from_cached_brains(tmp_path):
    path = tmp_path / "bench.json"
    run_bench(True, path, {"start-up": {"repetitions": 1, "compilations": 1}})
    seconds = {entry["name"]: entry["value"] for entry in json.loads(path.read_text())}
    assert seconds["start-up/help"] > seconds["start-up/python alone"]
    assert seconds["start-up/first act, compiled"] > seconds["start-up/first act, cached"]


def test_ratios_are_formed_within_a_repetition():
    ratio = ratios([10.0, 1.0, 4.0], [10.0, 2.0, 2.0])
    assert (ratio.median, ratio.low, ratio.high, ratio.repetitions) == (1.0, 0.5, 2.0, 3)


def test_time_counts_for_the_innermost_part(monkeypatch):
    clock = iter([0.0, 1.0, 4.0, 10.0])  # outer begins, inner begins, inner ends, outer ends
    monkeypatch.setattr("time.perf_counter", lambda: next(clock))
    times = TimeShares()
    with times.part("outer"), times.part("inner"):
        pass
    assert times.shares() == {"outer": 0.7, "inner": 0.3}


def test_watched_methods_are_themselves_again_afterwards():
    class Body:
        def step(self) -> str:
            return "stepped"

    body, times = Body(), TimeShares()
    with times.watching([(body, "step", "physics")]):
        assert body.step() == "stepped"
    assert times.shares() == {"physics": 1.0}
    assert "step" not in vars(body)


def _shown(is_terminal: bool) -> str:
    """Return what a printer shows of one measurement."""
    spread = Spread(1234.5, 1000.0, 2000.0, 3)
    against = {"physics": Spread(0.9, 0.8, 0.95, 3)}
    file = io.StringIO()
    printer = Printer(Console(file=file, force_terminal=is_terminal, width=100, emoji=False))
    with printer.section("lifetimes"):
        printer.show(Measurement("lifetimes/standing", "steps/s", spread, against))
    return file.getvalue()


def test_terminals_get_a_table():
    shown = _shown(is_terminal=True)
    assert "\x1b[" in shown
    assert "median" in shown
    assert "0.90 × physics (0.80–0.95)" in shown


def test_files_get_one_plain_line_for_each_measurement():
    assert _shown(is_terminal=False) == (
        "lifetimes/standing: 1,234 steps/s (min–max 1,000–2,000 of 3); 0.90 × physics (0.80–0.95)\n"
    )


def test_an_impossible_file_is_refused_before_anything_is_measured(tmp_path):
    with pytest.raises(UserError, match="there is no folder"):
        run_bench(True, tmp_path / "missing" / "bench.json", {})
    with pytest.raises(UserError, match="this is a folder"):
        run_bench(True, tmp_path, {})
