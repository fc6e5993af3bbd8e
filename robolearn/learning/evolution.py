"""Evolution of whole lifetimes: ask for genomes, let them live, tell their fitness."""

import json
import time
from typing import Any, Literal, Protocol

import numpy as np
from numpy.typing import NDArray

from robolearn.agents.protocol import Agent
from robolearn.envs.vector_env import RobotVectorEnv
from robolearn.errors import UserError
from robolearn.learning.curriculum import Curriculum
from robolearn.learning.protocol import Iteration
from robolearn.learning.strategies import Strategy
from robolearn.learning.strategies.ranking import centred_ranks
from robolearn.lifetime import Lives, live
from robolearn.shifts import ShiftPlan, plans_at

# Purposes of the seeds that a run hands to its lives; tests use a purpose of their own.
TRAINING, VALIDATION, TEST = 11, 12, 13

CommonLives = Literal["population", "pair"]
Plans = tuple[ShiftPlan, ...]


def life_seeds(seed: int, purpose: int, index: int, count: int) -> NDArray[np.int64]:
    """Return `count` seeds of lives, shape (count,), keyed by (seed, purpose, index)."""
    sequence = np.random.SeedSequence([seed, purpose, index])
    return sequence.generate_state(count, np.uint32).astype(np.int64)


class Population(Protocol):
    """Where genomes (n, g) live, with one seed (n,) each; this process unless told otherwise."""

    def __call__(
        self, genomes: NDArray[np.float32], seeds: NDArray[np.int64], plans: Plans
    ) -> Lives:
        """Return the lives in order; `plans` is what may happen in them."""
        ...


class Evolution:
    """A strategy searching the genome of one kind of agent in one env.

    With common random numbers over the population, every genome of a generation meets the same
    `lifetimes` seeds: the same resets, the same shifts, the same noise. Over pairs, only the two
    genomes mean ± d do, and other pairs others: a generation sees as many times more lives as it
    has pairs, each life is judged against that of the mirrored genome, and fitness is the mean rank
    of these differences. It is the better average where much depends on the life, as with a leg
    that may die at any moment.

    Args:
        env: `population × lifetimes` individuals; row g × lifetimes + l is life l of genome g.
        agent: the kind of brain.
        strategy: the search.
        seed: of the run.
        plans: what may happen in the lives, and in which generations.
        lifetimes: lives of each genome in a generation.
        population: where they live; None for `env`. Otherwise `env` may have any size.
        common_lives: who meets the same lives, "population" or "pair".

    Raises:
        ValueError: the env has another number of individuals.
        UserError: pairs, of a strategy that has none.
    """

    def __init__(
        self,
        env: RobotVectorEnv,
        agent: Agent,
        strategy: Strategy,
        seed: int,
        plans: Plans,
        lifetimes: int = 1,
        population: Population | None = None,
        common_lives: CommonLives = "population",
    ):
        if common_lives == "pair" and not getattr(strategy, "climbs_by_pairs", False):
            raise UserError("learning.common_lives = 'pair': only openai_es climbs by pairs alone")
        if population is None and env.num_envs != strategy.population * lifetimes:
            raise ValueError(
                f"expected {strategy.population * lifetimes} individuals, got {env.num_envs}"
            )
        for begin in sorted({plan.iterations[0] for plan in plans}):
            env.schedule.set_plans(plans_at(plans, begin))  # what does not fit is told now
        self.env = env
        self.agent = agent
        self.strategy = strategy
        self.seed = seed
        self.lifetimes = lifetimes
        self.common_lives = common_lives
        self.curriculum = Curriculum(plans)
        self._live = population or self._live_here
        self.best_score = -np.inf
        self.best_genome = strategy.mean.astype(np.float32)
        self.best_generation = -1
        self.judged_under = ""
        self.total_steps = 0

    @property
    def iteration(self) -> int:
        """Number of generations done."""
        return self.strategy.generation

    @property
    def genome(self) -> NDArray[np.float32]:
        """The mean genome (g,)."""
        return self.strategy.mean.astype(np.float32)

    def step(self) -> Iteration:
        """Live one generation and move the search."""
        started = time.perf_counter()
        index = self.iteration
        population = self.strategy.population
        genomes = np.repeat(self.strategy.ask(), self.lifetimes, axis=0)
        # Of the two halves of a population of pairs, the second mirrors the first.
        alike = 2 if self.common_lives == "pair" else population
        count = population * self.lifetimes // alike
        seeds = np.tile(life_seeds(self.seed, TRAINING, index, count), alike)
        lives = self._live(genomes, seeds, self.curriculum.at(index))
        lived_s = lives.steps * self.env.world.control_step_s
        severities = self.curriculum.follow(index, self.env, seeds, lives.fell, lived_s)
        rewards = lives.total_reward.reshape(population, self.lifetimes)
        fitness = rewards.mean(axis=1)
        self.strategy.tell(pair_ranks(rewards) if self.common_lives == "pair" else fitness)
        steps = int(lives.steps.sum())
        self.total_steps += steps
        elapsed = time.perf_counter() - started
        return Iteration(
            index,
            {
                "fitness/mean": float(fitness.mean()),
                "fitness/best": float(fitness.max()),
                "fitness/std": float(fitness.std()),
                "environment_steps": self.total_steps,
                "steps_per_second": steps / elapsed,
                **summarise(lives),
                **severities,
            },
        )

    def _live_here(
        self, genomes: NDArray[np.float32], seeds: NDArray[np.int64], plans: Plans
    ) -> Lives:
        self.env.schedule.set_plans(plans)
        return live(self.env, self.agent, self.agent.express(genomes), seeds)

    def validate(self, env: RobotVectorEnv) -> tuple[Lives, bool]:
        """Try the mean genome on the validation lives of `env`; keep it if it is the best so far.

        Returns:
            The lives and whether this is the best genome so far.
        """
        genome = self.genome
        stage = [plan.to_mapping() for plan in env.schedule.plans[-1]]
        judged_under = json.dumps(stage, sort_keys=True)  # the order in a file says nothing
        if judged_under != self.judged_under:  # a larger budget may end in another stage
            self.best_score, self.judged_under = -np.inf, judged_under
        lives = validation_lives(env, self.agent, genome, self.seed)
        score = float(lives.total_reward.mean())
        better = score > self.best_score
        if better:
            self.best_score, self.best_genome = score, genome
            self.best_generation = self.iteration
        return lives, better

    def state(self) -> tuple[dict[str, NDArray[Any]], dict[str, Any]]:
        """Return (arrays, figures) that hold all that the rest of the search depends on."""
        arrays = {f"strategy.{name}": value for name, value in self.strategy.state().items()}
        arrays["best_genome"] = self.best_genome
        arrays["severities"] = self.curriculum.severities.copy()
        figures = {
            "best_score": None if np.isinf(self.best_score) else self.best_score,
            "best_generation": self.best_generation,
            "judged_under": self.judged_under,
            "total_steps": self.total_steps,
        }
        return arrays, figures

    def load_state(self, arrays: dict[str, NDArray[Any]], figures: dict[str, Any]) -> None:
        """Go on from what `state` returned."""
        prefix = "strategy."
        self.strategy.load_state(
            {k.removeprefix(prefix): v for k, v in arrays.items() if k.startswith(prefix)}
        )
        self.best_genome = arrays["best_genome"]
        if "severities" in arrays:  # older checkpoints have none
            self.curriculum.load(arrays["severities"])
        score = figures["best_score"]
        self.best_score = -np.inf if score is None else float(score)
        self.best_generation = int(figures["best_generation"])
        self.judged_under = figures.get("judged_under", "")
        self.total_steps = int(figures["total_steps"])


def pair_ranks(rewards: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the fitness (population,) of genomes whose mirrored pairs met the same lives.

    Args:
        rewards: (population, lifetimes), genome k and k + population / 2 a pair; life l of both is
            the same.
    """
    halves = rewards.reshape(2, -1, rewards.shape[1])
    over_pair = (halves - halves.mean(axis=0)).ravel()
    return centred_ranks(over_pair).reshape(rewards.shape).mean(axis=1)


def validation_lives(
    env: RobotVectorEnv, agent: Agent, genome: NDArray[np.float32], seed: int
) -> Lives:
    """Let one genome (g,) live the validation lives of a run, always the same ones."""
    seeds = life_seeds(seed, VALIDATION, 0, env.num_envs)
    genomes = np.repeat(genome[None], env.num_envs, axis=0)
    return live(env, agent, agent.express(genomes), seeds)


def summarise(lives: Lives) -> dict[str, float]:
    """Return named means over lives for a log."""
    return {
        "performance": float(lives.mean_performance.mean()),
        "life_steps": float(lives.steps.mean()),
        "falls": float(lives.fell.mean()),
        "unstable": float(lives.unstable.sum()),
        **{f"reward/{name}": float(total.mean()) for name, total in lives.reward_terms.items()},
    }
