"""Live every distinct life of a protocol once: disturbed, intact, and frozen from the onset on.

A plastic brain whose learned arrays can be written is frozen twice: at the instant of the onset,
and at their mean over the `MEAN_S` before (not by trials, nor where the onset is birth). On demand
it is yoked, too: from the onset on it changes as the brain of another life does.
"""

import dataclasses
import json
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray

from robolearn.adaptation.cost import CostMeter
from robolearn.adaptation.life_cache import LifeCache, digest_of, surroundings
from robolearn.adaptation.mean_freeze import MEAN_S, MeanFreeze
from robolearn.adaptation.protocol import Condition, Protocol
from robolearn.adaptation.trial_clock import TrialClock
from robolearn.adaptation.yoke import Yoke
from robolearn.agents.protocol import Agent
from robolearn.envs.vector_env import RobotVectorEnv
from robolearn.lifetime import NEVER, Moment, live
from robolearn.shifts import ShiftPlan
from robolearn.worlds import World

INTACT = "intact"

# What takes the place of plasticity: what was learned stays as it is, stays at its mean of the time
# before, or changes as in another life under the same shift.
Ending = Literal["instant", "mean", "yoked"]


class Key(NamedTuple):
    """One life: a condition or `INTACT`, an episode, and how plasticity ends.

    Attributes:
        condition: name.
        episode: number.
        frozen_from: tick from which the brain no longer learns.
        ending: what takes the place of learning from then on.
    """

    condition: str
    episode: int
    frozen_from: int = NEVER
    ending: Ending = "instant"


# Lives that are done, all lives; a life that is under way counts with the part that was lived.
Report = Callable[[float, int], None]


@dataclass(frozen=True)
class LifePlan:
    """Distinct lives and what happens in them; onset ticks (episodes,) of every condition."""

    shifts: dict[Key, tuple[ShiftPlan, ...]]
    onset: dict[str, NDArray[np.int64]]


@dataclass(frozen=True)
class Lived:
    """What came of the lives of a plan: arrays (rows,), and performance (rows, ticks).

    `fall` is the tick of the fall, the number of ticks without one. `spikes_per_s`, NaN for brains
    without spikes, and `operations_per_s` are means over a life.
    """

    row_of: dict[Key, int]
    performance: NDArray[np.float32]
    total_reward: NDArray[np.float64]
    steps: NDArray[np.int64]
    fell: NDArray[np.bool_]
    unstable: NDArray[np.bool_]
    fall: NDArray[np.int64]
    spikes_per_s: NDArray[np.float64]
    operations_per_s: NDArray[np.float64]

    def rows(self, keys: list[Key]) -> "Lived":
        """Return the lives of `keys`, in their order."""
        rows = np.array([self.row_of[key] for key in keys])
        arrays = {name: getattr(self, name)[rows] for name in _ARRAYS}
        return Lived({key: i for i, key in enumerate(keys)}, **arrays)


_ARRAYS = tuple(f.name for f in dataclasses.fields(Lived) if f.name != "row_of")


@dataclass(frozen=True)
class Subject:
    """Who lives, and where: a trained agent in the env of a protocol.

    Attributes:
        env_name: folder under `envs/`.
        env_options: keyword arguments of `RobotVectorEnv`.
        agent: the kind of brain.
        genome: (g,).
        traits: plain values that tell the agent from others of its kind, such as hyperparameters.
    """

    env_name: str
    env_options: dict[str, Any]
    agent: Agent
    genome: NDArray[np.floating]
    traits: dict[str, Any] = dataclasses.field(default_factory=dict)

    def digest(self) -> str:
        """Return the hash of everything that decides how this agent lives a given life."""
        agent, genome = self.agent, np.ascontiguousarray(self.genome, np.float32)
        return digest_of(
            {
                "env": [self.env_name, self.env_options],
                "agent": [agent.kind, agent.observation_size, agent.action_size, self.traits],
                "genome": digest_of(genome.tobytes()),
                "surroundings": surroundings(self.env_name, agent),
            }
        )


def plan_lives(
    conditions: list[Condition],
    seeds: NDArray[np.int64],
    world: World,
    tick: float,
    endings: tuple[Ending, ...],
) -> LifePlan:
    """Draw what befalls each episode of each condition, and list every distinct life.

    Each of the `endings` of plasticity makes a twin of every life, disturbed or intact.
    """
    shifts: dict[Key, tuple[ShiftPlan, ...]] = {}
    onsets = {c.name: np.zeros(len(seeds), np.int64) for c in conditions}
    for episode, seed in enumerate(seeds):
        shifts[Key(INTACT, episode)] = ()
        for condition in conditions:
            fixed, onset = condition.draw(world, int(seed), tick)
            onsets[condition.name][episode] = onset
            shifts[Key(condition.name, episode)] = fixed
            for ending in endings:
                if ending != "mean" or onset > 0:
                    shifts[Key(condition.name, episode, onset, ending)] = fixed
                    shifts[Key(INTACT, episode, onset, ending)] = ()
    return LifePlan(shifts, onsets)


def live_all(
    subject: Subject,
    plan: LifePlan,
    seeds: NDArray[np.int64],
    protocol: Protocol,
    life_steps: int,
    *,
    max_rows: int,
    threads: int | None = None,
    cache: LifeCache | None = None,
    progress: Report | None = None,
) -> Lived:
    """Live the lives of the plan that `cache` does not know, in batches of at most `max_rows`.

    A yoked life and its donor are never parted, be it two rows in place of one. A life has at most
    `life_steps` control steps. Every batch is kept as soon as it has been lived.
    """
    keys = list(plan.shifts)
    digests = _digests(subject, plan, seeds, protocol, life_steps) if cache is not None else {}
    known = cache.find(digests.values()) if cache is not None else {}
    found = {key: known[digest] for key, digest in digests.items() if digest in known}
    missing = [key for key in keys if key not in found]
    tell = progress or (lambda done, total: None)
    # A yoked life needs that of its donor beside it: two rows of a batch.
    for yoked, rows_each in ((False, 1), (True, 2)):
        group = [key for key in missing if (key.ending == "yoked") is yoked]
        if not group:
            continue
        batches = -(-len(group) // max(1, max_rows // rows_each))
        size = -(-len(group) // batches)
        env = RobotVectorEnv(
            subject.env_name,
            num_envs=size * rows_each,
            max_episode_steps=life_steps,
            autoreset_mode="Disabled",
            threads=threads,
            **subject.env_options,
        )
        for start in range(0, len(group), size):
            batch, done = group[start : start + size], len(found)

            def report(share: float, done: int = done, batch: list[Key] = batch) -> None:
                tell(done + share * len(batch), len(keys))

            lived = _live_batch(env, subject, plan, seeds, protocol, batch, report)
            if cache is not None:
                cache.keep({digests[key]: arrays for key, arrays in lived.items()})
            found |= lived
            tell(len(found), len(keys))
        env.close()
    if not missing:
        tell(len(keys), len(keys))
    arrays = {name: np.stack([found[key][name] for key in keys]) for name in _ARRAYS}
    return Lived({key: i for i, key in enumerate(keys)}, **arrays)


def _live_batch(
    env: RobotVectorEnv,
    subject: Subject,
    plan: LifePlan,
    seeds: NDArray[np.int64],
    protocol: Protocol,
    keys: list[Key],
    report: Callable[[float], None],
) -> dict[Key, dict[str, NDArray[Any]]]:
    """Live at most as many lives as `env` has individuals; return the arrays of each.

    Yoked lives are the first half of a batch of their own, and their donors the second.
    """
    # A batch that is not full is filled up with copies of its last life: one env serves all.
    yoked = keys[0].ending == "yoked"
    size = env.num_envs // 2 if yoked else env.num_envs
    rows = [keys[min(i, len(keys) - 1)] for i in range(size)]
    frozen_from = np.array([key.frozen_from for key in rows])
    life_seeds = seeds[[key.episode for key in rows]]  # (n,)
    if yoked:
        rows *= 2
        frozen_from = np.concatenate([frozen_from, np.full(size, NEVER)])
        life_seeds = np.concatenate([life_seeds, _donor_seeds(rows[:size], seeds)])
    agent, steps = subject.agent, env.max_episode_steps or 1
    cost = CostMeter(agent, env.num_envs, env.world.control_step_s)
    listeners: list[Callable[[Moment], None]] = [_Report(report, steps), cost]
    at_mean = np.array([key.ending == "mean" for key in rows])
    if at_mean.any():
        mean_steps = max(1, round(MEAN_S / env.world.control_step_s))
        listeners.append(MeanFreeze(agent, frozen_from, at_mean, mean_steps))
    if yoked:
        everyone = np.arange(env.num_envs)
        listeners.append(Yoke(agent, everyone[:size], everyone[size:], frozen_from[:size]))
    clock = None
    if protocol.trials is None:
        for row, key in enumerate(rows):
            env.schedule.set_plans(plan.shifts[key], np.array([row]))
    else:
        plans = [plan.shifts[key] for key in rows]
        for row, its in enumerate(plans):
            at_birth = tuple(_from_birth(p) for p in its if p.onset_s == 0)
            env.schedule.set_plans(at_birth, np.array([row]))
        clock = TrialClock(env.world, plans, life_seeds, frozen_from, protocol.trials)
        frozen_from = clock.frozen_from_step
        listeners.append(clock)

    def listen(moment: Moment) -> None:
        for listener in listeners:
            listener(moment)

    genome = np.asarray(subject.genome, np.float32)
    lives = live(
        env,
        agent,
        agent.express(np.repeat(genome[None], env.num_envs, axis=0)),
        life_seeds,
        frozen_from=frozen_from,
        listener=listen,
    )
    ticks = lives.performance.shape[1] if clock is None else clock.score.shape[1]
    lasted = lives.steps - 1 if clock is None else clock.done
    arrays = {
        "performance": lives.performance if clock is None else clock.score,
        "total_reward": lives.total_reward,
        "steps": lives.steps,
        "fell": lives.fell,
        "unstable": lives.unstable,
        "fall": np.where(lives.fell, np.minimum(lasted, ticks), ticks),
        **cost.means(lives.steps),
    }
    return {
        key: {name: np.asarray(array[i]) for name, array in arrays.items()}
        for i, key in enumerate(keys)
    }


def _donor_seeds(keys: list[Key], seeds: NDArray[np.int64]) -> NDArray[np.int64]:
    """Return the seed of each key's donor: that of the next episode."""
    return seeds[[(key.episode + 1) % len(seeds) for key in keys]]


class _Report:
    """A listener that tells the share of a batch that was lived, about a hundred times."""

    def __init__(self, report: Callable[[float], None], steps: int):
        self._report, self._steps, self._every = report, steps, max(1, steps // 100)

    def __call__(self, moment: Moment) -> None:
        if (moment.step + 1) % self._every == 0:
            self._report((moment.step + 1) / self._steps)


def _from_birth(plan: ShiftPlan) -> ShiftPlan:
    """Return a plan of a life of trials as one that begins at birth; the clock ends it."""
    return dataclasses.replace(plan, onset_s=0.0, end_s=None)


def _digests(
    subject: Subject,
    plan: LifePlan,
    seeds: NDArray[np.int64],
    protocol: Protocol,
    life_steps: int,
) -> dict[Key, str]:
    """Return the digest of every life of the plan."""
    base = [subject.digest(), life_steps, protocol.trials]
    plain = json.dumps(base)
    return {
        key: digest_of(
            [
                *(plain, int(seeds[key.episode]), key.frozen_from),
                [shift.to_mapping() for shift in shifts],
                *([f"at the mean of {MEAN_S} s"] if key.ending == "mean" else []),
                *(["yoked", int(_donor_seeds([key], seeds)[0])] if key.ending == "yoked" else []),
            ]
        )
        for key, shifts in plan.shifts.items()
    }
