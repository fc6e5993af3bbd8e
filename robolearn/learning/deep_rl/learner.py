"""An algorithm of stable-baselines3 that trains one kind of brain in one env.

Importing this module loads stable-baselines3 and torch: import it where they are used.
"""

import time
from typing import Any

import numpy as np
import torch
from gymnasium.vector import VectorEnv
from numpy.typing import NDArray
from stable_baselines3.common.base_class import BaseAlgorithm
from stable_baselines3.common.logger import Logger
from stable_baselines3.common.utils import set_random_seed

from robolearn.agents.protocol import Agent
from robolearn.agents.reflex import Reflexive
from robolearn.envs.vector_env import RobotVectorEnv
from robolearn.learning.deep_rl import DeepRLConfig, SACConfig, TD3Config
from robolearn.learning.deep_rl.actor import actor_genome
from robolearn.learning.deep_rl.algorithms import make_algorithm
from robolearn.learning.deep_rl.life_log import LifeLog
from robolearn.learning.deep_rl.normaliser import Normaliser
from robolearn.learning.deep_rl.reward_and_action import RewardAndAction
from robolearn.learning.deep_rl.tensors import from_arrays, to_arrays
from robolearn.learning.deep_rl.under_reflex import UnderReflex
from robolearn.learning.evolution import TRAINING, life_seeds, validation_lives
from robolearn.learning.protocol import Iteration
from robolearn.learning.sb3_vec_env import SB3VecEnv
from robolearn.lifetime import Lives

# Purpose of the seed of what stable-baselines3 draws.
_NOISE = 14


class DeepRL:
    """PPO, recurrent PPO, SAC or TD3, an iteration at a time.

    A training that goes on from `load_state` continues weights, moments, statistics and counters,
    with new random streams and new lives; of SAC and TD3 the replay buffer is filled anew by the
    policy before learning goes on. So it goes on like one that was never stopped, but not in the
    same bits.

    stable-baselines3 draws from the global streams of NumPy and torch and from the action space,
    which are seeded here. torch gets one thread: more gain nothing on matrices of this size, and
    spin on the physics' cores.

    Args:
        env: the individuals, in autoreset mode SAME_STEP and with a limit on the life.
        agent: a brain of the kind and with the layers that `config.actor` asks for.
        config: the algorithm and its hyperparameters.
        seed: of the run.
    """

    def __init__(
        self, env: RobotVectorEnv | VectorEnv, agent: Agent, config: DeepRLConfig, seed: int
    ):
        torch.set_num_threads(1)
        self.env: Any = env
        self.agent = agent
        self.config = config
        self.seed = seed
        self.iteration = 0
        self.best_score = -np.inf
        self.best_iteration = -1
        self._refilled_at = 0  # steps, until when a resumed run learns nothing
        bodies = venv = SB3VecEnv(env)
        if isinstance(agent, Reflexive):
            venv = UnderReflex(venv, agent)
        scale = np.asarray(self.env.task.observation_scale)
        if config.feels_reward_and_action:
            venv = RewardAndAction(venv)
            scale = np.concatenate((scale, np.ones(1 + agent.action_size)))
        self.normaliser = Normaliser(
            venv,
            scale,
            observations=config.normalize_observation,
            rewards=config.normalize_reward,
            gamma=config.gamma,
        )
        self._start_streams()
        self.algorithm: Any = self._build(getattr(agent, "hyper", None))
        self.algorithm.set_logger(Logger(None, []))
        self._lives = LifeLog(bodies, self.env.max_episode_steps)
        self.best_genome = self.genome

    @property
    def total_steps(self) -> int:
        """Control steps of all individuals so far."""
        return int(self.algorithm.num_timesteps)

    @property
    def genome(self) -> NDArray[np.float32]:
        """The genome (g,) of the actor as it is now."""
        return actor_genome(self.agent.genome, self.algorithm, self.normaliser.genes())

    def step(self) -> Iteration:
        """Collect the steps of one iteration and learn from them."""
        started = time.perf_counter()
        index, steps_before = self.iteration, self.total_steps
        learned = self._learn(self.config.iteration_steps)
        self.iteration += 1
        elapsed = time.perf_counter() - started
        return Iteration(
            index,
            {
                **self._lives.means(),
                "environment_steps": self.total_steps,
                "steps_per_second": (self.total_steps - steps_before) / elapsed,
                **learned,
            },
        )

    def validate(self, env: RobotVectorEnv) -> tuple[Lives, bool]:
        """Try the actor on the validation lives of `env`; keep it if it is the best so far.

        Returns:
            The lives and whether this is the best actor so far.
        """
        genome = self.genome
        lives = validation_lives(env, self.agent, genome, self.seed)
        score = float(lives.total_reward.mean())
        better = score > self.best_score
        if better:
            self.best_score, self.best_genome = score, genome
            self.best_iteration = self.iteration
        return lives, better

    def state(self) -> tuple[dict[str, NDArray[Any]], dict[str, Any]]:
        """Return (arrays, figures): networks, moments, statistics, counters and the best actor."""
        arrays = {f"algorithm/{k}": v for k, v in to_arrays(self.algorithm).items()}
        arrays |= {f"normaliser/{k}": v for k, v in self.normaliser.state().items()}
        arrays["best_genome"] = self.best_genome
        figures = {
            "iteration": self.iteration,
            "total_steps": self.total_steps,
            "updates": int(self.algorithm._n_updates),
            "best_score": None if np.isinf(self.best_score) else self.best_score,
            "best_iteration": self.best_iteration,
        }
        return arrays, figures

    def load_state(self, arrays: dict[str, NDArray[Any]], figures: dict[str, Any]) -> None:
        """Go on from what `state` returned.

        Raises:
            KeyError: something is missing.
            ValueError: an array has another shape.
        """
        from_arrays(self.algorithm, _below("algorithm/", arrays))
        self.normaliser.load_state(_below("normaliser/", arrays))
        self.best_genome = arrays["best_genome"]
        score = figures["best_score"]
        self.best_score = -np.inf if score is None else float(score)
        self.best_iteration = int(figures["best_iteration"])
        self.iteration = int(figures["iteration"])
        self.algorithm.num_timesteps = int(figures["total_steps"])
        self.algorithm._n_updates = int(figures["updates"])
        self._start_streams()
        self.algorithm._last_obs = None  # new lives
        if isinstance(self.config, SACConfig | TD3Config):
            self._refilled_at = self.total_steps + self.config.learning_starts
            self.algorithm.learning_starts = 0  # no random actions: there is a policy

    def begin_from(self, arrays: dict[str, NDArray[Any]]) -> None:
        """Begin with the networks, moments and statistics of another training.

        Args:
            arrays: what the `state` of a learner with the same networks returned.

        Raises:
            KeyError: something is missing.
            ValueError: an array has another shape.
        """
        _, at_birth = self.state()
        self.load_state(arrays, at_birth)
        self.best_genome = self.genome

    def _start_streams(self) -> None:
        """Key what is drawn from now on by (seed, iteration)."""
        noise = np.random.SeedSequence([self.seed, _NOISE, self.iteration])
        first = int(noise.generate_state(1)[0])
        set_random_seed(first)
        self.normaliser.action_space.seed(first)  # draws the random actions of SAC and TD3
        self.normaliser.seed(int(life_seeds(self.seed, TRAINING, self.iteration, 1)[0]))

    def _build(self, brain: Any) -> BaseAlgorithm:
        """Build the networks of a brain with these hyperparameters."""
        return make_algorithm(self.config, brain, self.normaliser)

    def _learn(self, steps: int) -> dict[str, float]:
        """Collect steps and learn from them; returns figures for the log."""
        algorithm, config = self.algorithm, self.config
        if isinstance(config, SACConfig | TD3Config):
            refilling = self.total_steps < self._refilled_at
            algorithm.gradient_steps = 0 if refilling else config.gradient_steps
        algorithm.learn(steps, self._lives, log_interval=None, reset_num_timesteps=False)
        return {
            name: float(value)
            for name, value in algorithm.logger.name_to_value.items()
            if name.startswith("train/")
        }


def _below(prefix: str, arrays: dict[str, NDArray[Any]]) -> dict[str, NDArray[Any]]:
    return {k.removeprefix(prefix): v for k, v in arrays.items() if k.startswith(prefix)}
