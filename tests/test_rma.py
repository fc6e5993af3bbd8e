"""RMA learns what is right when told, then to find it out, and what it deploys is never told."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from mirror_task import FlippingMirror
from tiny_run import tiny_config

from robolearn import training
from robolearn.agents.adaptive_policy import HISTORY
from robolearn.agents.protocol import Feedback
from robolearn.agents.registry import make_agent
from robolearn.config import load_config, parse_config
from robolearn.errors import UserError
from robolearn.learning.deep_rl import PPOConfig, RMAConfig
from robolearn.learning.deep_rl.learner import DeepRL
from robolearn.learning.deep_rl.rma import RMA
from robolearn.learning.evolution import validation_lives
from robolearn.tracking.run import RunFolder
from robolearn.zoo import load_trained, make_env

COMMAND = ["robolearn", "train", "tiny.yaml"]
STEPS = 1024  # of an iteration
SCALE = np.array([2.0, 1.0], np.float32)
PPO: dict[str, Any] = {
    "num_envs": 32,
    "n_steps": 32,
    "batch_size": 128,
    "learning_rate": 3e-3,
    "gamma": 0.0,
}


def rma(policy_iterations: int, seed: int = 0) -> RMA:
    config = RMAConfig(**PPO, policy_steps=policy_iterations * STEPS, adaptation_learning_rate=3e-3)
    agent = make_agent(
        "adaptive_policy", 2, 1, SCALE, latent=3, channels=8, hidden=[32], activation="tanh"
    )
    return RMA(FlippingMirror(config.num_envs), agent, config, seed)


def error_of(trained: DeepRL) -> float:
    """Return the mean error of the deployed brain over 400 lives."""
    n = 400
    env, agent = FlippingMirror(n), trained.agent
    parameters = agent.express(np.repeat(trained.genome[None], n, axis=0))
    state, feedback = agent.new_state(n), Feedback.first(n)
    observation, _ = env.reset(seed=99)
    agent.reset(parameters, state, np.arange(n), [])
    errors = []
    for _ in range(env.max_episode_steps):
        action = agent.act(parameters, state, observation, feedback)
        observation, reward, *_ = env.step(action)
        feedback.reward = reward.astype(np.float32)
        errors.append(-reward.mean())
    return float(np.mean(errors))


def error_when_told(trained: RMA) -> float:
    """Return the mean error over 64 steps of the policy that phase 1 trains."""
    venv = trained.algorithm.get_env()
    observation, errors = venv.reset(), []
    for _ in range(64):
        action, _ = trained.algorithm.predict(observation, deterministic=True)
        observation, *_ = venv.step(action)
        errors.append(-trained.normaliser.get_original_reward().mean())
    return float(np.mean(errors))


@pytest.mark.slow
def test_what_it_was_told_it_learns_to_find_out_and_who_feels_nothing_cannot():
    trained = rma(policy_iterations=30)
    for _ in range(30):
        trained.step()
    assert error_when_told(trained) < 0.02
    assert error_of(trained) > 0.2  # it takes itself for intact: a quarter of the lives is wrong
    for _ in range(30):
        explained = trained.step().metrics["train/adaptation_explained"]
    assert explained > 0.5
    assert error_of(trained) < 0.1  # nobody knows before the first move

    agent = make_agent("policy", 2, 1, SCALE, hidden=[32])
    blind = DeepRL(FlippingMirror(32), agent, PPOConfig(**PPO), 0)
    for _ in range(60):
        blind.step()
    assert error_of(blind) > 0.2


def test_before_phase_2_it_takes_its_body_for_intact():
    trained, n = rma(policy_iterations=2), 5
    trained.step()
    intact = torch.zeros(n, trained.algorithm.observation_space.shape[0])
    assert not trained.algorithm.policy.features_extractor.split(intact)[1].any()
    agent = trained.agent
    parameters = agent.express(np.repeat(trained.genome[None], n, axis=0))
    state: Any = agent.new_state(n)
    agent.reset(parameters, state, np.arange(n), [])
    agent.act(parameters, state, np.ones((n, 2), np.float32), Feedback.first(n))
    assert not state.latent.any()
    trained.step()
    trained.step()  # the first of phase 2
    parameters = agent.express(np.repeat(trained.genome[None], n, axis=0))
    agent.act(parameters, state, np.ones((n, 2), np.float32), Feedback.first(n))
    assert state.latent.all()


def test_the_brain_acts_as_policy_and_module_in_torch():
    trained = rma(policy_iterations=2)
    for _ in range(4):
        trained.step()
    agent, n = trained.agent, 20
    parameters = agent.express(np.repeat(trained.genome[None], n, axis=0))
    state: Any = agent.new_state(n)
    agent.reset(parameters, state, np.arange(n), [])
    feedback, rng = Feedback.first(n), np.random.default_rng(5)
    history = np.zeros((n, HISTORY, 4), np.float32)
    reward, last = np.zeros(n), np.zeros((n, 1))
    moved = 0
    for step in range(HISTORY + 20):
        observation = rng.uniform(-2, 2, (n, 2)).astype(np.float32)
        if step == 30:  # some are born anew in mid-way
            born = rng.uniform(size=n) < 0.5
            agent.reset(parameters, state, np.flatnonzero(born), [])
            reward, last = reward * ~born, last * ~born[:, None]
            history[born] = 0.0
        feedback.reward = reward.astype(np.float32)
        seen = np.concatenate((observation, reward[:, None], last), axis=1).astype(np.float32)
        inputs = np.asarray(trained.normaliser.normalize_obs(seen))
        history = np.concatenate((history[:, 1:], inputs[:, None]), axis=1)
        policy = trained.algorithm.policy
        with torch.no_grad():
            latent = trained.module(torch.from_numpy(history))
            features = torch.cat((torch.from_numpy(inputs), latent), dim=1)
            sums = policy.action_net(policy.mlp_extractor.forward_actor(features))
        action = agent.act(parameters, state, observation, feedback)
        np.testing.assert_allclose(state.latent, latent.numpy(), atol=1e-5)
        np.testing.assert_allclose(action, sums.clamp(-1, 1).numpy(), atol=1e-5)
        moved += int((np.abs(action) < 1).sum())
        reward, last = rng.normal(size=n), action
    assert moved > 100  # not all are at the bounds
    assert np.abs(state.latent).max() > 1e-3


@pytest.mark.parametrize("iterations", [1, 3])
def test_a_saved_state_is_the_whole_learner_in_either_phase(iterations: int):
    trained, other = rma(policy_iterations=2), rma(policy_iterations=2, seed=1)
    for _ in range(iterations):
        trained.step()
    arrays, figures = trained.state()
    assert all(isinstance(array, np.ndarray) for array in arrays.values())
    other.load_state(arrays, figures)
    assert np.array_equal(other.genome, trained.genome)
    again, figures_again = other.state()
    assert figures_again == figures
    assert again.keys() == arrays.keys()
    assert all(np.array_equal(again[name], arrays[name]) for name in arrays)
    in_phase_2 = other.step().metrics.get("train/adaptation_loss") is not None
    assert in_phase_2 == (iterations == 3)
    assert other.total_steps == (iterations + 1) * STEPS


def test_each_phase_trains_its_own_part():
    trained = rma(policy_iterations=1)
    states = [trained.state()[0]]
    for _ in range(2):
        trained.step()
        states.append(trained.state()[0])

    def changed(phase: int) -> set[str]:
        before, after = states[phase], states[phase + 1]
        names = [n for n in before if not np.array_equal(before[n], after[n])]
        return {name.split("/")[0] for name in names}

    assert changed(0) == {"algorithm", "normaliser"}
    assert changed(1) == {"adaptation"}


def tiny_rma(**learning: Any) -> Any:
    """Return a training of two iterations of PPO and two of the module, 64 steps each."""
    content = tiny_config().to_mapping() | {
        "agent": {"kind": "adaptive_policy", "hidden": [8], "channels": 4, "latent": 2},
        "learning": {
            "kind": "rma", "total_steps": 256, "policy_steps": 128, "num_envs": 4, "n_steps": 16,
            "batch_size": 32, "validate_every": 1, "validation_lives": 2, **learning,
        },
    }  # fmt: skip
    return parse_config(content, "tiny")


@pytest.mark.parametrize("stopped_after", [1, 3])
def test_an_interrupted_run_goes_on_in_either_phase_and_keeps_the_best_of_the_second(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, stopped_after: int
):
    real = DeepRL.step

    def step(self: DeepRL) -> Any:
        if self.iteration == stopped_after:
            raise KeyboardInterrupt
        return real(self)

    config = tiny_rma()
    monkeypatch.setattr(DeepRL, "step", step)
    with pytest.raises(KeyboardInterrupt):
        training.train(config, tmp_path / "run", COMMAND)
    monkeypatch.undo()
    assert training.resume(tmp_path / "run", COMMAND)
    lines = RunFolder.open(tmp_path / "run").read_metrics()
    assert [line["environment_steps"] for line in lines] == [64, 128, 192, 256]
    assert ["train/adaptation_loss" in line for line in lines] == [False, False, True, True]
    trained = load_trained(tmp_path / "run")
    env = make_env(config, 2)
    env.schedule.set_plans((), np.arange(0, 2, 2))
    lives = validation_lives(env, trained.agent, trained.genome, config.seed)
    best = max(line["validation/score"] for line in lines[2:])
    assert float(lives.total_reward.mean()) == best


@pytest.mark.parametrize(
    ("override", "message"),
    [
        ("agent={kind: policy}", "agent.kind = 'policy': rma trains brains of kind 'adaptive_pol"),
        (
            "learning.total_steps=4000000",
            "learning.policy_steps = 4000000: expected at least an iteration of 4096 steps less "
            "than learning.total_steps = 4000000",
        ),
        ("learning.policy_steps=0", "learning.policy_steps = 0: .*greater than or equal to 1"),
        ("learning.encoder_hidden=[0]", "learning.encoder_hidden.* = 0: .*greater than or equal"),
        ("agent.latents=3", "unknown key 'agent.latents'; did you mean 'agent.latent'"),
    ],
)
def test_mistakes_are_told_in_one_line(override: str, message: str):
    with pytest.raises(UserError, match=message):
        load_config("quadruped_rma", [override])


def test_without_shifts_there_is_nothing_to_infer(tmp_path: Path):
    config = tiny_rma()
    config = config.model_copy(update={"env": config.env.model_copy(update={"shifts": []})})
    with pytest.raises(UserError, match=r"env.shifts = \[\]: rma learns to infer shifts"):
        training.train(config, tmp_path / "run", COMMAND)
    assert not (tmp_path / "run").exists()
