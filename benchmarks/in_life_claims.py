"""Check what the README says of learning in one life: maze, reaching, adaptation, pillars, cost.

Every individual is a life with a seed of its own, born naive; nothing was tuned on these seeds:

    python benchmarks/in_life_claims.py --json benchmarks/in_life_claims.json
    python benchmarks/in_life_claims.py tmaze avoid          # some of the claims alone
"""

import argparse
import json
import time
from pathlib import Path
from typing import Any

import numpy as np

from robolearn.adaptation.statistics import interval
from robolearn.config import load_config
from robolearn.envs.tmaze_player import MazePlayer
from robolearn.exits import run_program
from robolearn.lifetime import NEVER, Moment, live
from robolearn.zoo import build_agent, make_env

LIVES = 32
FIRST_SEED = 1000
DISTANCE_M = 0.15
REACH, ADAPT = "reach_node_perturbation", "reach_adaptation_node_perturbation"


def main() -> None:
    """Run the claims that are asked for, print a line for each, keep the raw numbers."""
    claims = {
        "tmaze": tmaze, "r_stdp": r_stdp, "reach": reach, "rotation": rotation,
        "force_field": force_field, "avoid": avoid, "cost": cost,
    }  # fmt: skip
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("claims", nargs="*", help=f"some of {', '.join(claims)}; all by default")
    parser.add_argument("--json", type=Path, help="where the raw numbers go; others there are kept")
    arguments = parser.parse_args()
    for name in arguments.claims:
        if name not in claims:
            parser.error(f"unknown claim {name!r} (valid: {', '.join(claims)})")
    rows: dict[str, Any] = {}
    if arguments.json and arguments.json.is_file():
        rows = json.loads(arguments.json.read_text(encoding="utf-8"))
    for name in arguments.claims or claims:
        print(f"== {name}", flush=True)
        rows[name] = claims[name]()
        if arguments.json:
            arguments.json.write_text(json.dumps(rows, indent=1) + "\n", encoding="utf-8")


class TrialLog:
    """Keeps what `info` told at the end of every trial of every life."""

    def __init__(self, *names: str):
        self.rows: dict[str, list[list[float]]] = {
            name: [[] for _ in range(LIVES)] for name in names
        }

    def __call__(self, moment: Moment) -> None:
        """Listen to a life."""
        for i in np.flatnonzero(moment.infos["trial_end"] & moment.alive):
            for name, lives in self.rows.items():
                lives[i].append(float(moment.infos[name][i]))

    def table(self, name: str) -> np.ndarray:
        """Return (lives, trials)."""
        return np.array(self.rows[name])


def let_live(recipe: str, *overrides: str, listener: Any, shifts: Any = None, **switches: Any):
    """Let LIVES naive individuals of a recipe live their lives; returns the processor time, s."""
    config = load_config(recipe, [*overrides])
    env = make_env(config, LIVES, config.env.life_s, shifts)
    agent = build_agent(config, env)
    seeds = FIRST_SEED + np.arange(LIVES)
    births = [np.random.default_rng([int(seed), 9]) for seed in seeds]
    parameters = agent.express(np.stack([agent.genome.initial(birth) for birth in births]))
    started = time.process_time()
    live(env, agent, parameters, seeds, listener=listener, **switches)
    return time.process_time() - started


def report(label: str, values: np.ndarray, reached: np.ndarray | None = None) -> dict[str, Any]:
    """Print IQM and interval over individuals, and the share of them that reach the figure."""
    told = interval(values)
    share = None if reached is None else float(np.mean(reached))
    tail = "" if share is None else f"   reached by {share:.0%}"
    print(f"{label:<58} {told.iqm:8.3f} [{told.low:.3f}, {told.high:.3f}]{tail}", flush=True)
    return {
        "iqm": told.iqm, "low": told.low, "high": told.high, "share": share,
        "individuals": np.round(values, 4).tolist(),
    }  # fmt: skip


def tmaze() -> dict[str, Any]:
    """Rewarded arm in trials 21-40 and, after the switch, 61-80; time-outs are errors."""
    recipe, naive = "tmaze_reward_hebbian", ("agent.prediction=none",)
    rows = _mazes(recipe, naive)
    for label, probability in (("win-stay lose-shift", 1.0), ("win-stay lose-shift, 80/20", 0.8)):
        rows[label] = _arms(label, _play(recipe, _paying(probability)))
    return rows


def r_stdp() -> dict[str, Any]:
    """The same mazes, learned by spikes and dopamine."""
    recipe, naive = "tmaze_r_stdp", ("agent.prediction_rate=0", "agent.first_expectation=0")
    rows = _mazes(recipe, naive)
    for label, *overrides in (
        ("80/20, slower expectation", _paying(0.8), "agent.prediction_rate=0.1"),
        ("without learning", "agent.learning_rate=0"),
        ("without homeostasis", "agent.homeostasis_rate=0"),
    ):
        rows[label] = _maze(label, recipe, *overrides)
    return rows


def _paying(probability: float) -> str:
    return f"env.parameters.probability={probability}"


def _mazes(recipe: str, naive: tuple[str, ...]) -> dict[str, Any]:
    """Live in the maze with reward that is sure, unsure, useless, unexpected; and frozen."""
    return {
        label: _maze(label, recipe, *overrides, freeze=freeze)
        for label, overrides, freeze in (
            ("learning", (), False),
            ("learning, 80/20", (_paying(0.8),), False),
            ("naive rule (no expectation)", naive, False),
            ("frozen after trial 40", (), True),
            ("reward by chance alone", (_paying(0.5),), False),
        )
    }


def _maze(label: str, recipe: str, *overrides: str, freeze: bool = False) -> dict[str, Any]:
    log = TrialLog("chosen", "rewarded", "timeout")

    def listen(moment: Moment) -> None:
        log(moment)
        if freeze:
            done = moment.infos["trial_end"] & (moment.infos["trial"] >= 39)
            moment.state.weights_plastic[done] = False

    let_live(recipe, *overrides, listener=listen)
    return _arms(label, log)


def _play(recipe: str, override: str) -> TrialLog:
    """Let the reference player live the lives of a recipe."""
    config = load_config(recipe, [override])
    env = make_env(config, LIVES, config.env.life_s)
    log, player = TrialLog("chosen", "rewarded", "timeout"), MazePlayer(env)
    observation, _ = env.reset(seed=[FIRST_SEED + i for i in range(LIVES)])
    alive, nothing = np.ones(LIVES, np.bool_), np.zeros(0)
    while alive.any():
        action = player(observation)
        observation, _, terminated, truncated, infos = env.step(action)
        log(Moment(0, env, None, action, nothing, infos, alive.copy()))
        alive &= ~(terminated | truncated)
    return log


def _arms(label: str, log: TrialLog) -> dict[str, Any]:
    right = (log.table("chosen") == log.table("rewarded")) & (log.table("timeout") == 0)
    before, after = right[:, 20:40].mean(axis=1), right[:, 60:80].mean(axis=1)
    both = (before >= 0.9) & (after >= 0.9)
    return {
        "before": report(f"{label}: trials 21-40", before, before >= 0.9),
        "after": report(f"{label}: trials 61-80", after, after >= 0.9),
        "share of both": float(both.mean()),
        "timeouts": float(log.table("timeout").mean()),
    }


def reach() -> dict[str, Any]:
    """End-point error over D of 64 trials, frozen and without noise, after 2,000 and after none."""
    held_out, probe = ("env.parameters.held_out=[1,4]",), ("probe:held_out@2000s",)
    rows = {}
    for label, recipe, trials, overrides, shifts in (
        ("8 targets", REACH, 2000, (), ()),
        ("held-out targets 1 and 4", REACH, 2000, held_out, probe),
        ("nothing learned", REACH, 0, (), ()),
        ("8 targets, with an aim", ADAPT, 2000, (), ()),
        ("held-out targets 1 and 4, with an aim", ADAPT, 2000, held_out, probe),
    ):
        log, test = TrialLog("endpoint_error", "hand_speed"), trials * 50
        let_live(
            recipe, f"env.life_s={trials + 64:.1f}", *overrides,
            listener=log, shifts=shifts, frozen_from=test, quiet_from=test,
        )  # fmt: skip
        error, speed = log.table("endpoint_error") / DISTANCE_M, log.table("hand_speed")
        figure = error[:, -64:].mean(axis=1)
        learning = error[:, :trials].mean(axis=0).reshape(-1, 50)  # of 50 trials each
        rows[label] = {
            "error": report(f"{label}: error / D", figure, figure <= 0.15),
            "speed": report(f"{label}: final speed, m/s", speed[:, -64:].mean(axis=1)),
            "curve": learning.mean(axis=1).round(4).tolist(),
        }
    return rows


def rotation() -> dict[str, Any]:
    """Signed direction at peak speed on trials without feedback, under a rotation by 30 degrees."""
    return _adapt("visuomotor_rotation:0.5235988", "direction_error", np.pi / 6)


def force_field() -> dict[str, Any]:
    """Greatest lateral deviation on trials without feedback, in a curl field of 15 N s/m."""
    return _adapt("force_field:15", "lateral_deviation", None)


def _adapt(shift: str, measure: str, size: float | None) -> dict[str, Any]:
    """Learn to reach, meet the shift for 500 trials, lose it for 500, meet it again for 500.

    Twins, with the same seeds, meet it when it returns for the first time.
    """
    return_span = f"{shift}@3000s-3500s"
    log = TrialLog(measure, "feedback", "endpoint_error")
    let_live(ADAPT, "env.life_s=3504.0", listener=log, shifts=[f"{shift}@2000s-2500s", return_span])
    twins = TrialLog(measure, "feedback")
    let_live(ADAPT, "env.life_s=3128.0", listener=twins, shifts=[return_span])
    seen, seen_by_twins = (
        np.where(kept.table("feedback") == 0, kept.table(measure), np.nan) for kept in (log, twins)
    )

    def mean(first: int, last: int, values: np.ndarray = seen) -> np.ndarray:
        return np.nanmean(values[:, first:last], axis=1)

    # 64 trials hold eight without feedback, the last of each block of the eight targets in random
    # order: 5.25 different targets on average.
    before, late = mean(1808, 2000), mean(2436, 2500)
    # How far a field throws off an arm that has learnt nothing of it is not known beforehand, as it
    # is of a rotation: its first 64 trials stand for it. So the `first` of a field is half of what
    # the deviation fell from those to the next 64, and not to be compared with the rotation's.
    # In `savings`, a difference of two such figures, the onset cancels.
    onset = mean(2000, 2064) if size is None else before + size
    gap = onset - before
    aftereffect = before - mean(2500, 2564)
    first, again = onset - mean(2000, 2128), onset - mean(3000, 3128)
    first_of_twins = onset - mean(3000, 3128, seen_by_twins)
    return {
        "before": report("before", before),
        "corrected": report("share corrected in trials 437-500", (onset - late) / gap,
                            (onset - late) / gap >= 0.75),
        "aftereffect": report("opposite after-effect over the shift's", aftereffect / gap,
                              aftereffect / gap >= 0.3),
        "washed out": report("left of it after 500 trials", (before - mean(2936, 3000)) / gap),
        "first": report("corrected in the first 128 trials", first / gap),
        "savings": report("the same when it returns, less the first", (again - first) / gap),
        "savings over twins": report("the same less that of twins who never met it",
                                     (again - first_of_twins) / gap),
        "curve": [
            round(float(np.nanmean(seen[:, t : t + 50])), 4) for t in range(1800, 3500, 50)
        ],
        "error / D": [
            round(float(log.table("endpoint_error")[:, t : t + 50].mean() / DISTANCE_M), 4)
            for t in range(1800, 3500, 50)
        ],
    }  # fmt: skip


def avoid() -> dict[str, Any]:
    """Collisions per metre and distance in the eleventh minute, in a new room, over the first's."""
    rows = {}
    for label, frozen in (("learning", NEVER), ("frozen twin: blind", 0)):
        steps: dict[str, list[np.ndarray]] = {"distance": [], "collision": []}

        def listen(moment: Moment, steps: dict = steps) -> None:
            for name, kept in steps.items():
                kept.append(moment.infos[name].astype(float))

        let_live("avoid_node_perturbation", listener=listen, frozen_from=frozen)
        minutes = {name: np.array(kept).reshape(11, 600, LIVES) for name, kept in steps.items()}
        metres = np.abs(minutes["distance"]).sum(axis=1)  # (11, lives)
        forward = minutes["distance"].sum(axis=1)
        rate = minutes["collision"].sum(axis=1) / metres
        less, far = rate[10] / rate[0].mean(), forward[10] / forward[0].mean()
        rows[label] = {
            "first": report(f"{label}: collisions/m in minute 1", rate[0]),
            "last": report(f"{label}: collisions/m in minute 11", rate[10]),
            "ratio": report(f"{label}: the latter over the mean of the former", less,
                            (less <= 0.2) & (far >= 0.8)),
            "distance": report(f"{label}: distance in minute 11 over minute 1", far),
            "curve": rate.mean(axis=1).round(4).tolist(),
            "metres": forward.mean(axis=1).round(3).tolist(),
        }  # fmt: skip
    return rows


def cost() -> dict[str, Any]:
    """Processor time of the same lives, learning over frozen; median of five pairs.

    Other programs on the machine make ratios of wall time useless, these not.
    """
    rows = {}
    for recipe, *overrides in (
        ("tmaze_reward_hebbian", "env.life_s=40.0"),
        ("reach_node_perturbation", "env.life_s=40.0"),
        ("avoid_node_perturbation", "env.life_s=60.0"),
        ("tmaze_r_stdp", "env.life_s=40.0"),
        ("tmaze_neuromodulated", "env.life_s=40.0"),
        ("tmaze_neuromodulated_spiking", "env.life_s=40.0"),
        ("delayed_match_node_perturbation_recurrent", "env.life_s=40.0", "agent.warm_up_trials=0"),
    ):
        ratios = []
        for pair in range(6):
            lived = [let_live(recipe, *overrides, listener=None, frozen_from=f) for f in (NEVER, 0)]
            if pair:  # the first one compiles
                ratios.append(lived[0] / lived[1])
        rows[recipe] = {"median": float(np.median(ratios)), "ratios": np.round(ratios, 3).tolist()}
        print(f"{recipe:<42} {rows[recipe]['median']:.2f} of the time when frozen", flush=True)
    return rows


if __name__ == "__main__":
    run_program(main)
