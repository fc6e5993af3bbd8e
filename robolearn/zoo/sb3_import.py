"""From somebody's own stable-baselines3 file to an agent folder, which every verb then takes.

Such a file is a pickle, and unpickling runs whatever code it holds: this is the one place that does
so, and only for who says that they trust it. What it writes holds no pickle.

Importing this module loads stable-baselines3 and torch: import it where they are used.
"""

import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sb3_contrib import RecurrentPPO
from stable_baselines3 import PPO, SAC, TD3
from stable_baselines3.common.base_class import BaseAlgorithm
from stable_baselines3.common.save_util import load_from_pkl
from stable_baselines3.common.torch_layers import FlattenExtractor
from stable_baselines3.common.vec_env import VecNormalize
from torch import nn

from robolearn.agents.policy_kernel import INPUT_LIMIT
from robolearn.agents.protocol import Agent, Feedback
from robolearn.config import parse_config
from robolearn.envs.vector_env import RobotVectorEnv, env_name
from robolearn.errors import UserError, unknown_name
from robolearn.learning.deep_rl import LEARNERS
from robolearn.learning.deep_rl.actor import actor_parameters, pack
from robolearn.tracking.run import RunFolder, refuse_if_taken
from robolearn.zoo.trained_agent import build_agent, make_env, save_trained

ALGORITHMS: dict[str, type[BaseAlgorithm]] = {
    "ppo": PPO,
    "recurrent_ppo": RecurrentPPO,
    "sac": SAC,
    "td3": TD3,
}
_ACTIVATIONS = {nn.Tanh: "tanh", nn.ReLU: "relu"}
# Bound of inputs that have no normaliser; a power of two times ours, so that the weights that make
# up for it are exact.
_UNBOUNDED = 1024.0 * INPUT_LIMIT
# Greatest difference of actions: rounding makes 1e-5, another network far more.
_TOLERANCE = 1e-4


def import_sb3(
    kind: str,
    file: Path,
    env_id: str,
    out: Path,
    command: list[str],
    *,
    normaliser: Path | None = None,
    trust: bool = False,
) -> None:
    """Write the run folder `out` of an agent that acts as a policy of stable-baselines3 does.

    Its `config.yaml` names env, brain, algorithm and steps; the algorithm's other hyperparameters
    are this package's defaults there, and not what the file was trained with. Its name is that of
    the folder.

    Args:
        kind: ppo, recurrent_ppo, sac or td3.
        file: the .zip that the algorithm's `save` wrote.
        env_id: one of our envs, with the observations and actions of the policy.
        out: must not exist, or be empty.
        command: the command line word by word, kept in the folder.
        normaliser: the .pkl that `VecNormalize.save` wrote, if there was one in training.
        trust: whether files may be unpickled, which runs whatever code they hold.

    Raises:
        UserError: no trust, an unknown algorithm or env, a file that cannot be read, or a policy
            that is no brain of ours.
    """
    if kind not in ALGORITHMS:
        raise unknown_name("algorithm", kind, ALGORITHMS)
    env_name(env_id)
    files = [file] if normaliser is None else [file, normaliser]
    for one in files:
        if not one.is_file():
            raise UserError(f"{one}: no such file")
    if not trust:
        raise UserError(
            f"{' and '.join(map(str, files))}: importing unpickles, which runs whatever code is "
            "inside: add --trust if you trust whoever made it"
        )
    refuse_if_taken(out)
    algorithm = _load(ALGORITHMS[kind], file)
    seen = _Normalisation.none() if normaliser is None else _Normalisation.load(normaliser)
    try:
        content = {
            "name": _name(out.name) or _name(file.stem) or kind,
            "env": {"id": env_id},
            "agent": _hyperparameters(kind, algorithm),
            "learning": {"kind": kind, "total_steps": max(1, int(algorithm.num_timesteps))},
        }
    except ValueError as error:
        raise UserError(f"{file}: {error}") from error
    config = parse_config(content, str(file))
    try:
        env = make_env(config, 1)
        agent = build_agent(config, env)
        _check_sizes(algorithm, seen, env)
        scale = np.asarray(env.task.observation_scale, np.float64)
        genome = _genome(agent, algorithm, seen, scale)
        _check_actions(agent, genome, algorithm, seen, scale)
    except ValueError as error:
        raise UserError(f"{file}: {error}") from error
    with RunFolder.create(out, config.to_mapping(), command) as run:
        save_trained(run.path, config, env, agent, genome)


@dataclass(frozen=True)
class _Normalisation:
    """What a policy sees of an observation x (n, o): clip((x - mean) / std, ±bound)."""

    mean: NDArray[np.float64] | float
    std: NDArray[np.float64] | float
    bound: float

    @classmethod
    def none(cls) -> "_Normalisation":
        return cls(0.0, 1.0, float(_UNBOUNDED))

    @classmethod
    def load(cls, file: Path) -> "_Normalisation":
        """Unpickle a VecNormalize."""
        try:
            saved = load_from_pkl(file)
        except Exception as error:  # whatever the pickle raises
            raise UserError(f"{file} cannot be unpickled ({_line(error)})") from error
        if not isinstance(saved, VecNormalize):
            raise UserError(f"{file} holds a {type(saved).__name__}, expected a VecNormalize")
        if not saved.norm_obs:
            return cls.none()
        statistics: Any = saved.obs_rms
        std = np.sqrt(statistics.var + saved.epsilon)
        return cls(np.asarray(statistics.mean), std, float(saved.clip_obs))

    def __call__(self, x: NDArray[np.floating]) -> NDArray[np.float32]:
        return np.clip((x - self.mean) / self.std, -self.bound, self.bound).astype(np.float32)


def _load(algorithm: type[BaseAlgorithm], file: Path) -> Any:
    """Unpickle an algorithm."""
    try:
        return algorithm.load(file, device="cpu")
    except Exception as error:  # whatever the pickle raises
        raise UserError(
            f"{file}: stable-baselines3 cannot load it as {algorithm.__name__} ({_line(error)})"
        ) from error


def _name(text: str) -> str:
    """Return the text as the name of a recipe, other characters replaced; empty if none is left."""
    return re.sub(r"[^A-Za-z0-9_.-]+", "-", text).lstrip("_.-")


def _hyperparameters(kind: str, algorithm: Any) -> dict[str, Any]:
    """Return the `agent` section of the brain with the layers of the policy.

    Raises:
        ValueError: there is no such brain.
    """
    policy = algorithm.policy
    actor = getattr(policy, "actor", None) or policy  # PPO's policy is its own actor
    extractor = actor.features_extractor
    if not isinstance(extractor, FlattenExtractor):
        raise ValueError(f"observations go through a {type(extractor).__name__} first")
    biases = {k: v for k, v in actor_parameters(algorithm).items() if k.endswith(".bias")}
    hyper = {**LEARNERS[kind].actor, "activation": _ACTIVATIONS[actor.activation_fn]}
    if ("tanh" if policy.squash_output else "clip") != hyper.get("output", "clip"):
        raise ValueError("its actions are squashed by tanh (squash_output=True)")
    hyper["hidden"] = [len(v) for k, v in biases.items() if k.startswith("layer_")][:-1]
    if kind == "recurrent_ppo":
        lstm = policy.lstm_actor
        if (lstm.num_layers, lstm.bidirectional, lstm.proj_size) != (1, False, 0):
            raise ValueError(f"its memory is {lstm}, expected one plain layer")
        hyper["memory"] = lstm.hidden_size
    return hyper


def _check_sizes(algorithm: Any, seen: _Normalisation, env: RobotVectorEnv) -> None:
    wanted = env.single_observation_space.shape
    for what, given, expected in (
        ("its observations have", algorithm.observation_space.shape, wanted),
        ("its actions have", algorithm.action_space.shape, env.single_action_space.shape),
        ("its normaliser has", np.shape(seen.mean) or wanted, wanted),
    ):
        if given != expected:
            raise ValueError(f"{what} shape {given}, expected {expected} in this env")


def _genome(
    agent: Agent, algorithm: Any, seen: _Normalisation, scale: NDArray[np.float64]
) -> NDArray[np.float32]:
    """Return the genome (g,) of the policy; inputs that only a brain of ours has weigh nothing."""
    parameters: dict[str, NDArray[Any]] = {**actor_parameters(algorithm)}
    first = "lstm.input_weight" if "lstm.input_weight" in parameters else "layer_0.weight"
    # Our bound is fixed: inputs are made smaller by this factor, and weights greater.
    factor = seen.bound / float(INPUT_LIMIT)
    weight = parameters[first] * factor  # (units, o)
    mean, log_std = seen.mean / scale, np.log(seen.std * factor / scale)
    shapes = {gene.name: gene.shape for gene in agent.genome.genes}
    more = shapes[first][1] - weight.shape[1]  # last reward and action
    parameters[first] = np.pad(weight, ((0, 0), (0, more)))
    parameters["normaliser.mean"] = np.pad(mean, (0, more))
    parameters["normaliser.log_std"] = np.pad(log_std, (0, more))
    return pack(agent.genome, parameters)


def _check_actions(
    agent: Agent,
    genome: NDArray[np.float32],
    algorithm: Any,
    seen: _Normalisation,
    scale: NDArray[np.float64],
) -> None:
    """Compare the actions of brain and policy over lives of 8 random observations."""
    n, worst = 64, 0.0
    parameters = agent.express(np.repeat(genome[None], n, axis=0))
    state, feedback = agent.new_state(n), Feedback.first(n)
    rng, memory, births = np.random.default_rng(0), None, np.ones(n, np.bool_)
    agent.reset(parameters, state, np.arange(n), [])
    spread = seen.std if np.ndim(seen.std) else scale
    for _ in range(8):
        x = (seen.mean + 2.0 * spread * rng.normal(size=(n, len(scale)))).astype(np.float32)
        expected, memory = algorithm.predict(
            seen(x), state=memory, episode_start=births, deterministic=True
        )
        action = agent.act(parameters, state, x, feedback)
        worst = max(worst, float(np.abs(action - expected).max()))
        births = np.zeros(n, np.bool_)
        feedback.reward = rng.normal(size=n).astype(np.float32)
    if not worst < _TOLERANCE:
        raise ValueError(f"a {agent.kind!r} of its weights acts otherwise, by up to {worst:.2g}")


def _line(error: Exception) -> str:
    return " ".join(str(error).split())[:200]
