"""Live every distinct life of a protocol once: disturbed, intact, and frozen from the onset on."""

import dataclasses
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from robolearn.adaptation.protocol import Condition
from robolearn.agents.protocol import Agent
from robolearn.envs.vector_env import RobotVectorEnv
from robolearn.lifetime import NEVER, Moment, live
from robolearn.shifts import ShiftPlan
from robolearn.worlds import World

INTACT = "intact"

# (condition or INTACT, episode, control step from which plasticity is frozen)
Key = tuple[str, int, int]


@dataclass(frozen=True)
class LifePlan:
    """Distinct lives and what happens in them; onset steps (episodes,) of every condition."""

    shifts: dict[Key, tuple[ShiftPlan, ...]]
    onset_step: dict[str, NDArray[np.int64]]


@dataclass(frozen=True)
class Lived:
    """What came of the lives of a plan: arrays (rows,) and performance (rows, T)."""

    row_of: dict[Key, int]
    performance: NDArray[np.float32]
    total_reward: NDArray[np.float64]
    steps: NDArray[np.int64]
    fell: NDArray[np.bool_]
    unstable: NDArray[np.bool_]

    def rows(self, keys: list[Key]) -> "Lived":
        """Return the lives of `keys`, in their order."""
        rows = np.array([self.row_of[key] for key in keys])
        arrays = {
            f.name: getattr(self, f.name)[rows]
            for f in dataclasses.fields(self)
            if f.name != "row_of"
        }
        return Lived({key: i for i, key in enumerate(keys)}, **arrays)

    @property
    def fall_step(self) -> NDArray[np.int64]:
        """The step of the fall, (rows,); T without one."""
        return np.where(self.fell, self.steps - 1, self.performance.shape[1])


def plan_lives(
    conditions: list[Condition],
    seeds: NDArray[np.int64],
    world: World,
    life_steps: int,
    plastic: bool,
) -> LifePlan:
    """Draw what befalls each episode of each condition, and list every distinct life."""
    shifts: dict[Key, tuple[ShiftPlan, ...]] = {}
    onsets = {c.name: np.zeros(len(seeds), np.int64) for c in conditions}
    for episode, seed in enumerate(seeds):
        shifts[INTACT, episode, NEVER] = ()
        for condition in conditions:
            fixed, onset = condition.draw(world, int(seed))
            onsets[condition.name][episode] = onset
            for frozen_from in (NEVER, onset) if plastic else (NEVER,):
                shifts[condition.name, episode, frozen_from] = fixed
                shifts[INTACT, episode, frozen_from] = ()
    return LifePlan(shifts, onsets)


def live_all(
    env: RobotVectorEnv,
    agent: Agent,
    genome: NDArray[np.floating],
    plan: LifePlan,
    seeds: NDArray[np.int64],
    *,
    progress: Callable[[int, int], None] | None,
) -> Lived:
    """Live every life of the plan, in batches of as many as `env` has individuals."""
    keys, size = list(plan.shifts), env.num_envs
    life_steps = env.max_episode_steps or 0
    total = -(-len(keys) // size) * size * life_steps
    parameters = agent.express(np.repeat(np.asarray(genome, np.float32)[None], size, axis=0))
    parts = []
    for start in range(0, len(keys), size):
        # The last batch is filled up with copies of the last life, so that one env serves all.
        batch = [keys[min(i, len(keys) - 1)] for i in range(start, start + size)]
        for row, key in enumerate(batch):
            env.schedule.set_plans(plan.shifts[key], np.array([row]))
        lives = live(
            env,
            agent,
            parameters,
            seeds[[episode for _, episode, _ in batch]],
            frozen_from=np.array([frozen_from for *_, frozen_from in batch]),
            listener=progress and _report(progress, start * life_steps, total),
        )
        parts.append(lives)
        if progress is not None:
            progress((start + size) * life_steps, total)
    names = ("performance", "total_reward", "steps", "fell", "unstable")
    arrays = {n: np.concatenate([getattr(p, n) for p in parts])[: len(keys)] for n in names}
    return Lived({key: i for i, key in enumerate(keys)}, **arrays)


def _report(
    progress: Callable[[int, int], None], done: int, total: int
) -> Callable[[Moment], None]:
    """Return a listener that tells `progress` once a second of life."""

    def listener(moment: Moment) -> None:
        every = max(1, round(1 / moment.env.world.control_step_s))
        if (moment.step + 1) % every == 0:
            progress(done + (moment.step + 1) * moment.env.num_envs, total)

    return listener
