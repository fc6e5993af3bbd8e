"""RMA: PPO that is told the shifts, then a module that infers them from what it lives through.

Kumar, Fu, Pathak & Malik 2021, "RMA: Rapid Motor Adaptation for Legged Robots". Unlike there, the
last reward is among the inputs, as recurrent PPO has it.

Importing this module loads stable-baselines3 and torch: import it where they are used.
"""

from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from stable_baselines3.common.base_class import BaseAlgorithm
from torch.nn.functional import mse_loss

from robolearn.agents.adaptive_policy import HISTORY
from robolearn.envs.vector_env import RobotVectorEnv
from robolearn.errors import UserError
from robolearn.learning.deep_rl import RMAConfig
from robolearn.learning.deep_rl.actor import actor_genome
from robolearn.learning.deep_rl.adaptation_module import AdaptationModule
from robolearn.learning.deep_rl.algorithms import make_algorithm
from robolearn.learning.deep_rl.learner import DeepRL
from robolearn.learning.deep_rl.shift_encoder import WithShiftState
from robolearn.learning.deep_rl.tensors import arrays_to_states, states_to_arrays
from robolearn.lifetime import Lives


class RMA(DeepRL):
    """RMA, an iteration at a time; the first `policy_iterations` are PPO's.

    1. PPO trains a policy on [u, z], u = [observation, last reward, last action] normalised and z
       the latent of the shifts that act, together with the encoder that makes z of them.
    2. That policy, fixed and without noise, acts on the module's estimate of z; the module learns
       by regression towards the encoder's z on the histories that come of it.

    What is validated, and deployed, never has privileges. Before phase 2 the estimate is z = 0, an
    intact body; the best agent is that of phase 2 as soon as one was validated there.
    """

    config: RMAConfig

    def _build(self, brain: Any) -> BaseAlgorithm:
        self._venv = WithShiftState(self.normaliser, self.env)
        if not self._venv.shift_size:
            raise UserError("env.shifts = []: rma learns to infer shifts, expected at least one")
        inputs = int(np.prod(self.normaliser.observation_space.shape or ()))
        self.module = AdaptationModule(inputs, brain.channels, brain.latent)
        self._optimiser = torch.optim.Adam(
            self.module.parameters(), self.config.adaptation_learning_rate
        )
        self._history = np.zeros((self.env.num_envs, HISTORY, inputs), np.float32)
        return make_algorithm(self.config, brain, self._venv, self._venv.shift_size)

    @property
    def genome(self) -> NDArray[np.float32]:
        """The genome (g,) of policy and module as they are now."""
        others = self.normaliser.genes() | self.module.genes()
        return actor_genome(self.agent.genome, self.algorithm, others)

    def validate(self, env: RobotVectorEnv) -> tuple[Lives, bool]:
        """Try policy and module on the validation lives of `env`, without privileges.

        Returns:
            The lives and whether this is the best agent so far; of phase 2, once it is reached.
        """
        if self.best_iteration <= self.config.policy_iterations < self.iteration:
            self.best_score = -np.inf
        return super().validate(env)

    def state(self) -> tuple[dict[str, NDArray[Any]], dict[str, Any]]:
        """Return (arrays, figures): those of PPO, the module and its moments."""
        arrays, figures = super().state()
        return arrays | states_to_arrays(self._states()), figures

    def load_state(self, arrays: dict[str, NDArray[Any]], figures: dict[str, Any]) -> None:
        """Go on from what `state` returned.

        Raises:
            KeyError: something is missing.
            ValueError: an array has another shape.
        """
        super().load_state(arrays, figures)
        states = arrays_to_states(arrays, self._states())
        self.module.load_state_dict(states["adaptation"])
        self._optimiser.load_state_dict(states["adaptation_optimiser"])
        self._history[:] = 0.0

    def _states(self) -> dict[str, dict[str, Any]]:
        return {
            "adaptation": self.module.state_dict(),
            "adaptation_optimiser": self._optimiser.state_dict(),
        }

    def _learn(self, steps: int) -> dict[str, float]:
        if self.iteration < self.config.policy_iterations:
            return super()._learn(steps)
        self.normaliser.training = False  # the policy is fixed, and so is what it sees
        histories, estimates, latents = self._live(self.config.n_steps)
        self._regress(histories, latents)
        error = float(mse_loss(estimates, latents))
        variance = float(latents.var(dim=0, unbiased=False).mean())
        return {
            "train/adaptation_loss": error,
            "train/adaptation_explained": 1.0 - error / variance if variance else float("nan"),
        }

    def _live(self, n_steps: int) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
        """Let the policy act on the module's estimates.

        Returns:
            Histories (n_steps · n, 50, u), the estimates that were acted on, (n_steps · n, z), and
            the encoder's latents.
        """
        encoder = self.algorithm.policy.features_extractor
        observation = self.algorithm._last_obs
        if observation is None:
            observation = self._venv.reset()
        collected = []
        for _ in range(n_steps):
            with torch.no_grad():
                inputs, latent = encoder.split(torch.from_numpy(observation))
                self._history[:, :-1] = self._history[:, 1:]
                self._history[:, -1] = inputs
                history = torch.from_numpy(self._history.copy())
                estimate = self.module(history)
                action = self._act(inputs, estimate)
            collected.append((history, estimate, latent))
            observation, _, done, infos = self._venv.step(action.numpy())
            self._history[done] = 0.0
            self._lives.note(done, infos)
        self.algorithm._last_obs = observation
        self.algorithm.num_timesteps += n_steps * self.env.num_envs
        histories, estimates, latents = map(torch.cat, zip(*collected, strict=True))
        return histories, estimates, latents

    def _act(self, inputs: torch.Tensor, latent: torch.Tensor) -> torch.Tensor:
        """Return the policy's actions (n, a) for u (n, u) and z (n, z), without noise."""
        policy = self.algorithm.policy
        features = policy.mlp_extractor.forward_actor(torch.cat((inputs, latent), dim=1))
        return policy.action_net(features).clamp(-1.0, 1.0)

    def _regress(self, histories: torch.Tensor, latents: torch.Tensor) -> None:
        """Move the module's estimates for `histories` towards `latents` by least squares."""
        for _ in range(self.config.adaptation_epochs):
            for batch in torch.randperm(len(histories)).split(self.config.batch_size):
                loss = mse_loss(self.module(histories[batch]), latents[batch])
                self._optimiser.zero_grad()
                loss.backward()
                self._optimiser.step()
