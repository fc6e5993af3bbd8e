"""The learners of deep RL solve what they must, act as they were trained, and leave no pickle."""

import pickle
import shutil
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import numpy as np
import pytest
import torch
import yaml
from mirror_task import Allowance, Mirror
from tiny_run import tiny_config

from robolearn import training
from robolearn.agents.protocol import Feedback
from robolearn.agents.registry import make_agent
from robolearn.config import load_config, parse_config
from robolearn.errors import UserError
from robolearn.learning.deep_rl import LEARNERS, PPOConfig, RecurrentPPOConfig
from robolearn.learning.deep_rl.learner import DeepRL
from robolearn.learning.deep_rl.life_log import LifeLog
from robolearn.learning.evolution import validation_lives
from robolearn.learning.sb3_vec_env import SB3VecEnv
from robolearn.lifetime import live
from robolearn.tracking.run import RunFolder
from robolearn.zoo import load_trained, make_env

SMALL: dict[str, dict[str, Any]] = {
    "ppo": {"num_envs": 16, "n_steps": 32, "batch_size": 128, "learning_rate": 3e-3, "gamma": 0.0},
    "recurrent_ppo": {
        "num_envs": 16, "n_steps": 32, "batch_size": 128, "learning_rate": 3e-3, "gamma": 0.0,
    },
    "sac": {
        "num_envs": 16, "iteration_steps": 320, "learning_starts": 320, "gradient_steps": 8,
        "batch_size": 64, "gamma": 0.0, "critic_hidden": (32, 32), "learning_rate": 3e-3,
    },
    "td3": {
        "num_envs": 16, "iteration_steps": 320, "learning_starts": 320, "gradient_steps": 8,
        "batch_size": 64, "gamma": 0.0, "critic_hidden": (32, 32), "learning_rate": 3e-3,
    },
}  # fmt: skip
BRAIN: dict[str, dict[str, Any]] = {
    "ppo": {"hidden": [32]},
    "recurrent_ppo": {"memory": 16, "hidden": [16]},
    "sac": {"hidden": [32], "output": "tanh", "activation": "relu"},
    "td3": {"hidden": [32], "output": "tanh", "activation": "relu"},
}
every_learner = pytest.mark.parametrize("kind", sorted(SMALL))  # RMA: tests/test_rma.py


def learner(
    kind: str, seed: int = 0, cue_only: bool = False, size: int = 1, env: Any = None, **hyper: Any
) -> DeepRL:
    config = LEARNERS[kind](**{**SMALL[kind], **hyper})
    env = env or Mirror(config.num_envs, cue_only, size)
    scale = env.task.observation_scale
    agent = make_agent(config.actor["kind"], size + 1, size, scale, **BRAIN[kind])
    return DeepRL(env, agent, config, seed)


def error_of(trained: DeepRL, cue_only: bool = False) -> float:
    """Return the mean error of the deployed brain over 400 lives; knowing nothing makes 1/3."""
    env = Mirror(400, cue_only, trained.agent.action_size)
    env.metadata = {"autoreset_mode": None}
    agent, n = trained.agent, 400
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


@every_learner
@pytest.mark.parametrize("size", [1, 3])
def test_it_learns_to_act_what_it_sees(kind: str, size: int):
    trained = learner(kind, size=size)
    assert error_of(trained) > 0.2
    for _ in range(10 * size):
        trained.step()
    assert error_of(trained) < 0.03


@every_learner
def test_a_life_that_is_cut_off_is_worth_what_would_have_followed(kind: str):
    """With a discount of 1/2 that is 2 at any time, and 1 in the last step before a real end."""
    values = {}
    for ends_for_good in (False, True):
        env = Allowance(SMALL[kind]["num_envs"], ends_for_good)
        trained = learner(kind, env=env, gamma=0.5, normalize_reward=False)
        for _ in range(15):
            trained.step()
        values[ends_for_good] = value_of_the_last_step(trained)
    assert values[False] == pytest.approx(2.0, abs=0.25)
    assert values[True] == pytest.approx(1.0, abs=0.25)


def value_of_the_last_step(trained: DeepRL) -> float:
    """Return the mean that the critic expects before the eighth and last step of a life."""
    algorithm, config = trained.algorithm, trained.config
    if isinstance(config, PPOConfig | RecurrentPPOConfig):  # the last rollout, whole lives
        values = algorithm.rollout_buffer.values.reshape(config.num_envs, config.n_steps)
        return float(values[:, 7::8].mean())
    numbers = np.linspace(-1.0, 1.0, 16)
    observation = np.stack((numbers, np.full(16, 7 / 8)), axis=1)
    seen = np.asarray(trained.normaliser.normalize_obs(observation))
    action, _ = algorithm.predict(seen, deterministic=True)
    with torch.no_grad():
        return float(algorithm.critic(torch.as_tensor(seen), torch.as_tensor(action))[0].mean())


@pytest.mark.parametrize("kind", ["sac", "td3"])
def test_it_learns_in_every_iteration_but_those_that_fill_its_memory(kind: str):
    trained = learner(kind)  # 320 steps an iteration, 160 gradients on them
    updates = []
    for _ in range(4):
        trained.step()
        updates.append(trained.state()[1]["updates"])
    assert updates == [0, 160, 320, 480]
    resumed = learner(kind)
    resumed.load_state(*trained.state())
    for _ in range(3):
        resumed.step()
        updates.append(resumed.state()[1]["updates"])
    assert updates[4:] == [480, 640, 800]


def test_only_the_recurrent_one_remembers_what_it_saw():
    errors = {}
    for kind in ("ppo", "recurrent_ppo"):
        trained = learner(kind, cue_only=True)
        for _ in range(18):
            trained.step()
        errors[kind] = error_of(trained, cue_only=True)
    assert errors["recurrent_ppo"] < 0.1
    assert errors["ppo"] > 0.2


@every_learner
@pytest.mark.parametrize("normalised", [True, False])
def test_the_brain_acts_as_the_policy_that_was_trained(kind: str, normalised: bool):
    trained = learner(kind, normalize_observation=normalised)
    for _ in range(2):
        trained.step()
    agent, n = trained.agent, 50
    parameters = agent.express(np.repeat(trained.genome[None], n, axis=0))
    state, feedback = agent.new_state(n), Feedback.first(n)
    rng, memory, starts = np.random.default_rng(5), None, np.ones(n, np.bool_)
    reward, last = np.zeros(n), np.zeros((n, 1))
    for step in range(12):
        observation = rng.uniform(-3, 3, (n, 2)).astype(np.float32)
        if step == 7:  # some are born anew in mid-way
            starts = rng.uniform(size=n) < 0.5
            agent.reset(parameters, state, np.flatnonzero(starts), [])
            reward, last = reward * ~starts, last * ~starts[:, None]
        feedback.reward = reward.astype(np.float32)
        seen = observation
        if kind == "recurrent_ppo":
            seen = np.concatenate((observation, reward[:, None], last), axis=1).astype(np.float32)
        seen = np.asarray(trained.normaliser.normalize_obs(seen))
        expected, memory = trained.algorithm.predict(
            seen, state=memory, episode_start=starts, deterministic=True
        )
        action = agent.act(parameters, state, observation, feedback)
        np.testing.assert_allclose(action, expected, atol=1e-5)
        starts = np.zeros(n, np.bool_)
        reward, last = rng.normal(size=n), action
    assert (np.abs(action) < 1).sum() > 10  # not all are at the bounds


@every_learner
def test_a_saved_state_is_the_whole_learner_and_it_goes_on_from_its_step_count(kind: str):
    trained, other = learner(kind), learner(kind, seed=1)
    for _ in range(3):
        trained.step()
    arrays, figures = trained.state()
    assert all(isinstance(array, np.ndarray) for array in arrays.values())
    assert not np.array_equal(other.genome, trained.genome)
    other.load_state(arrays, figures)
    assert np.array_equal(other.genome, trained.genome)
    again, figures_again = other.state()
    assert figures_again == figures
    assert again.keys() == arrays.keys()
    assert all(np.array_equal(again[name], arrays[name]) for name in arrays)
    steps = trained.total_steps
    assert other.step().index == 3
    assert other.total_steps == steps + trained.config.iteration_steps
    for _ in range(9):
        other.step()
    assert error_of(other) < 0.03


@every_learner
def test_equal_seeds_learn_the_same_and_others_do_not(kind: str):
    genomes = []
    for seed in (0, 0, 1):  # one after the other: they draw from the global streams
        trained = learner(kind, seed)
        for _ in range(2):  # sac and td3 learn from the second on, also from actions at random
            trained.step()
        genomes.append(trained.genome)
    assert np.array_equal(genomes[0], genomes[1])
    assert not np.array_equal(genomes[0], genomes[2])


def test_a_reflex_acts_in_training_as_it_does_in_life():
    reflex = [[0.5, 0.0, 0.25]]  # the scale of what is seen is 2: a quarter of it, and a quarter
    agent = make_agent("policy", 2, 1, np.array([2.0, 1.0], np.float32), hidden=[8], reflex=reflex)
    trained = DeepRL(Mirror(16), agent, LEARNERS["ppo"](**SMALL["ppo"]), 0)
    seen = trained.normaliser.reset()
    seen = trained.normaliser.get_original_obs()
    parameters = agent.express(np.repeat(trained.genome[None], 16, axis=0))
    lived = agent.act(parameters, agent.new_state(16), np.asarray(seen), Feedback.first(16))
    own, _ = trained.algorithm.predict(trained.normaliser.normalize_obs(seen), deterministic=True)
    assert np.abs(lived - own).max() > 0.1
    number = trained.env.number.copy()
    trained.normaliser.step(own)
    reward = trained.normaliser.get_original_reward()
    np.testing.assert_allclose(reward, -((lived - number)[:, 0] ** 2), atol=1e-5)


def test_diverged_lives_are_counted_and_all_else_is_a_mean():
    bodies = SimpleNamespace(num_envs=2, told={"performance": np.ones(2)})
    log = LifeLog(cast(SB3VecEnv, bodies), span=1)
    end = {"TimeLimit.truncated": False, "episode": {"r": 3.0, "l": 1}, "unstable": True}
    log.note(np.array([True, True]), [end, {**end, "episode": {"r": 1.0, "l": 1}}])
    told = log.means()
    assert (told["unstable"], told["falls"], told["fitness/mean"]) == (2, 1, 2)
    later = log.means()
    assert (later["unstable"], later["falls"], later["fitness/mean"]) == (0, 1, 2)


def test_a_state_of_other_layers_is_refused():
    arrays, figures = learner("ppo").state()
    agent = make_agent("policy", 2, 1, hidden=[8])
    other = DeepRL(Mirror(16), agent, LEARNERS["ppo"](**SMALL["ppo"]), 0)
    with pytest.raises(ValueError, match=r"policy_net.0.weight has shape \(32, 2\), expected \(8,"):
        other.load_state(arrays, figures)


def tiny_ppo(**sections: Any) -> Any:
    """Return a training of two iterations of 64 steps."""
    learning = {
        "kind": "ppo", "total_steps": 128, "num_envs": 4, "n_steps": 16, "batch_size": 32,
        "validate_every": 1, "validation_lives": 2,
    }  # fmt: skip
    learning |= sections.pop("learning", {})
    content = tiny_config().to_mapping() | {
        "agent": {"kind": "policy", "hidden": [8]}, "learning": learning, **sections
    }  # fmt: skip
    return parse_config(content, "tiny")


COMMAND = ["robolearn", "train", "tiny.yaml"]


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A finished run; tests must not change it."""
    run = tmp_path_factory.mktemp("runs") / "ppo"
    training.train(tiny_ppo(), run, COMMAND)
    return run


def test_a_run_folder_holds_what_every_run_folder_holds(finished: Path):
    run = RunFolder.open(finished)
    metrics = run.read_metrics()
    assert run.status == "finished"
    assert run.config == tiny_ppo().to_mapping()
    assert [line["step"] for line in metrics] == [0, 1]
    assert [line["environment_steps"] for line in metrics] == [64, 128]
    assert all("validation/score" in line and "train/loss" in line for line in metrics)
    assert run.checkpoints.steps() == [1, 2]
    latest = run.checkpoints.latest()
    assert latest is not None
    assert latest[2]["best_score"] == max(line["validation/score"] for line in metrics)
    suffixes = {path.suffix for path in finished.rglob("*") if path.is_file()}
    assert suffixes == {".json", ".jsonl", ".lock", ".safetensors", ".yaml"}


def test_the_trained_agent_lives_as_in_its_best_validation(finished: Path):
    trained = load_trained(finished)
    config = tiny_ppo()
    env = make_env(config, 2)
    env.schedule.set_plans((), np.arange(0, 2, 2))
    lives = validation_lives(env, trained.agent, trained.genome, config.seed)
    scores = [line["validation/score"] for line in RunFolder.open(finished).read_metrics()]
    assert float(lives.total_reward.mean()) == max(scores)


def test_a_pickle_in_place_of_weights_is_refused_and_never_run(finished: Path, tmp_path: Path):
    class Malice:
        def __reduce__(self) -> Any:
            return (Path.touch, (tmp_path / "harm",))

    run = Path(shutil.copytree(finished, tmp_path / "run"))
    (run / "weights.safetensors").write_bytes(pickle.dumps(Malice()))
    with pytest.raises(UserError, match="pickle file, which robolearn never loads"):
        load_trained(run)
    for checkpoint in (run / "checkpoints").iterdir():
        checkpoint.write_bytes(pickle.dumps(Malice()))
    more = yaml.safe_load((run / "config.yaml").read_text())
    more["learning"]["total_steps"] = 256
    (run / "config.yaml").write_text(yaml.safe_dump(more))
    with pytest.raises(UserError, match="pickle file, which robolearn never loads"):
        training.resume(run, COMMAND)
    assert not (tmp_path / "harm").exists()


def test_an_interrupted_run_goes_on_from_its_last_whole_iteration(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    real = DeepRL.step

    def step(self: DeepRL) -> Any:
        if self.iteration == 2:
            raise KeyboardInterrupt
        return real(self)

    config = tiny_ppo(learning={"total_steps": 256})
    monkeypatch.setattr(DeepRL, "step", step)
    with pytest.raises(KeyboardInterrupt):
        training.train(config, tmp_path / "run", COMMAND)
    monkeypatch.undo()
    assert RunFolder.open(tmp_path / "run").status == "interrupted"
    assert training.resume(tmp_path / "run", COMMAND)
    run = RunFolder.open(tmp_path / "run")
    assert run.status == "finished"
    assert [line["environment_steps"] for line in run.read_metrics()] == [64, 128, 192, 256]
    assert training.resume(tmp_path / "run", COMMAND) is False


@pytest.mark.parametrize(
    ("override", "message"),
    [
        ("agent.kind=mlp", "agent.kind = 'mlp': ppo trains brains of kind 'policy'"),
        ("agent.output=tanh", "agent.output = 'tanh': ppo trains brains of output 'clip'"),
        ("learning.batch_size=1000", "learning.batch_size: got 1000, expected a divisor of 4096"),
        ("learning.generations=3", "unknown key 'learning.generations'"),
        ("learning.n_step=3", "unknown key 'learning.n_step'; did you mean 'learning.n_steps'"),
        ("learning.total_steps=0", "learning.total_steps = 0: .*greater than or equal to 1"),
        ("learning.gamma=1.5", "learning.gamma = 1.5: .*less than or equal to 1"),
    ],
)
def test_mistakes_are_told_in_one_line(override: str, message: str):
    with pytest.raises(UserError, match=message):
        load_config(
            "quadruped_ppo",
            ["agent={kind: mlp}" if override == "agent.kind=mlp" else override],
        )


@pytest.mark.slow
def test_ppo_makes_a_quadruped_stand_and_go(tmp_path: Path):
    config = load_config(
        "quadruped_ppo", ["learning.total_steps=400000", "tracking.wandb=off", "env.life_s=5"]
    )
    training.train(config, tmp_path / "run", COMMAND)
    trained = load_trained(tmp_path / "run")
    env = make_env(config, 16, 5.0)
    genomes = np.repeat(trained.genome[None], 16, axis=0)
    lives = live(env, trained.agent, trained.agent.express(genomes), np.arange(1000, 1016))
    assert lives.mean_performance.mean() > 0.1  # m/s; a body that stands has 0
