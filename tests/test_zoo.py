"""A trained agent, loaded by name or folder, acts as it did in its lifetimes; broken ones never."""

import dataclasses
import json
import pickle
import shutil
from pathlib import Path
from typing import Any

import gymnasium
import numpy as np
import pytest
import yaml
from tiny_run import tiny_config, tiny_mapping

import robolearn
from robolearn import definitions, training
from robolearn.agents import registry
from robolearn.config import load_config, parse_config
from robolearn.envs.vector_env import RobotVectorEnv
from robolearn.errors import UserError
from robolearn.lifetime import Moment, live
from robolearn.tracking.checkpoint import load_arrays, save_arrays
from robolearn.tracking.run import RunFolder
from robolearn.zoo import (
    WEIGHTS,
    is_zoo_entry,
    load_trained,
    make_env,
    name_of,
    publish,
    zoo_entries,
)

CHECKOUT = Path(__file__).parent.parent
SHIFT = "limb_damage:front_left:dead@0.2s"


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A trained plastic agent; tests must not change it."""
    run = tmp_path_factory.mktemp("runs") / "trained"
    training.train(tiny_config(), run, ["robolearn", "train", "tiny.yaml"])
    return run


@pytest.fixture
def copy(run: Path, tmp_path: Path) -> Path:
    """A copy of the run, to be broken."""
    return Path(shutil.copytree(run, tmp_path / "copy"))


@pytest.fixture
def agents_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A copy of the definition layer; returns its `agents/`."""
    package = tmp_path / "robolearn"
    for kind in ("envs", "agents", "configs"):
        shutil.copytree(
            CHECKOUT / kind, package / "_data" / kind, ignore=shutil.ignore_patterns("trained")
        )
    monkeypatch.setattr(definitions, "_PACKAGE", package)
    return package / "_data" / "agents"


# Brains that learn from activity, draw their weights at birth, and sense the reward.
BRAINS = {
    "spiking": {"kind": "spiking", "hidden": 4},
    "hebbian": {"kind": "hebbian", "hidden": [4], "innate": "random"},
    "gru": {"kind": "gru", "hidden": 4},
}


@pytest.fixture(scope="module", params=BRAINS)
def brain(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run of each kind of brain in turn."""
    mapping = tiny_mapping(learning={"generations": 1})
    config = parse_config({**mapping, "agent": BRAINS[request.param]}, "tiny")
    run = tmp_path_factory.mktemp("runs") / request.param
    training.train(config, run, ["robolearn"])
    return run


def actions_in_life(run: str | Path, seeds: list[int]) -> tuple[np.ndarray, np.ndarray]:
    """Return actions (T, n, a) and who was alive (T, n) in the lives of training and evaluation."""
    trained = load_trained(run)
    env = make_env(trained.config, len(seeds), 0.4, [SHIFT])
    actions, alive = [], []

    def listen(moment: Moment) -> None:
        actions.append(moment.action.copy())
        alive.append(moment.alive.copy())

    parameters = trained.agent.express(np.repeat(trained.genome[None], len(seeds), axis=0))
    live(env, trained.agent, parameters, seeds, listener=listen)
    return np.stack(actions), np.stack(alive)


def test_a_brain_is_judged_over_the_envs_own_life_or_over_that_of_training_if_it_is_longer():
    for life_s, onset, steps in (("7.0", 6, 500), ("null", 6, 500), ("12.0", 11, 600)):
        shift = f"env.shifts=[limb_damage:front_left:dead@{onset}s]"
        config = load_config("quickstart", [f"env.life_s={life_s}", shift])
        assert make_env(config, 1).max_episode_steps == steps


def test_the_rewards_of_a_recipe_go_wherever_its_agents_live(tmp_path: Path):
    config = tiny_config(env={"rewards": {"speed": 7.0}}, learning={"generations": 1})
    training.train(config, tmp_path / "run", ["robolearn"])
    trained = load_trained(tmp_path / "run")
    judged = RobotVectorEnv(trained.env_name, **trained.env_options)
    for env in (make_env(config, 1), make_env(trained.config, 1), judged):
        assert env.task.rewards["speed"] == 7.0


@pytest.mark.parametrize("of_zoo", [False, True], ids=["plain env", "env with options"])
def test_a_plain_gymnasium_loop_acts_as_the_agent_lived(brain: Path, of_zoo: bool):
    name = "spiking/quadruped-quickstart" if of_zoo else brain
    policy = robolearn.load(name)
    options = {**policy.env_options, "shifts": [SHIFT], "max_episode_steps": 20}
    env = gymnasium.make(policy.env_id, **options)
    lived, alive = actions_in_life(name, [3])
    for _ in range(2):
        observation, _ = env.reset(seed=3)
        policy.reset(seed=3)
        reward, done, actions = 0.0, False, []
        while not done:
            action = policy(observation, reward)
            assert action in env.action_space
            actions.append(action)
            observation, reward, terminated, truncated, _ = env.step(action)
            done = terminated or truncated
        assert len(actions) == alive.sum()
        np.testing.assert_array_equal(np.stack(actions), lived[:, 0])


def test_a_vector_loop_acts_as_the_agents_lived(brain: Path):
    env = gymnasium.make_vec(
        "robolearn/Quadruped-v0", num_envs=3, shifts=[SHIFT], max_episode_steps=20
    )
    policy = robolearn.load(brain)
    lived, alive = actions_in_life(brain, [5, 6, 7])
    observation, _ = env.reset(seed=5)
    policy.reset(seed=5, n=3)
    reward: Any = np.zeros(3)
    for step in range(len(lived)):
        actions = policy(observation, reward)
        assert actions.shape == (3, 12)
        np.testing.assert_array_equal(actions[alive[step]], lived[step][alive[step]])
        observation, reward, *_ = env.step(actions)


def test_a_learner_from_trials_learns_in_a_plain_loop_as_in_its_lives(tmp_path: Path):
    overrides = ["env.life_s=3.0", "learning.lifetimes=2", "tracking.wandb=off"]
    overrides += ["agent.expectation=-0.5"]  # so that the first trial already surprises
    training.train(
        load_config("reach_node_perturbation", overrides), tmp_path / "run", ["robolearn"]
    )
    policy = robolearn.load(tmp_path / "run")
    trained = policy.trained
    lived: list[np.ndarray] = []
    live(
        make_env(trained.config, 1, 3.0),
        trained.agent,
        trained.agent.express(trained.genome[None]),
        [3],
        listener=lambda moment: lived.append(moment.action[0].copy()),
    )
    env = gymnasium.make(policy.env_id, max_episode_steps=150)
    for hears_of_trials in (True, False):
        observation, info = env.reset(seed=3)
        policy.reset(seed=3)
        reward, actions = 0.0, []
        for _ in range(150):
            actions.append(policy(observation, reward, info if hears_of_trials else None))
            observation, reward, _, _, info = env.step(actions[-1])
        assert np.array_equal(np.stack(actions), np.stack(lived)) == hears_of_trials


def test_a_restarted_brain_forgets_and_the_others_do_not(run: Path):
    policy, twin = robolearn.load(run), robolearn.load(run)
    observations = np.random.default_rng(0).standard_normal((6, 2, 35)).astype(np.float32)
    size = policy.trained.agent.observation_size
    observations = np.resize(observations, (6, 2, size))
    policy.reset(n=2)
    twin.reset(n=2)
    for observation in observations[:4]:
        policy(observation)
        twin(observation)
    policy.restart(np.array([True, False]))
    fresh = robolearn.load(run)
    fresh.reset(n=2)
    for observation in observations[4:]:
        actions = policy(observation)
        np.testing.assert_array_equal(actions[0], fresh(observation)[0])
        np.testing.assert_array_equal(actions[1], twin(observation)[1])
    assert not np.array_equal(actions[0], actions[1])


def test_a_policy_refuses_what_it_was_not_built_for(run: Path):
    policy = robolearn.load(str(run))
    size = policy.trained.agent.observation_size
    with pytest.raises(UserError, match=rf"robolearn/Quadruped-v0 on observations of {size} elem"):
        policy(np.zeros(7))
    policy.reset(n=2)
    with pytest.raises(UserError, match="got 3 observations for 2 brains"):
        policy(np.zeros((3, size)))
    with pytest.raises(UserError, match=r"bool array of shape \(2,\)"):
        policy.restart([True])
    with pytest.raises(UserError, match="at least 1"):
        policy.reset(n=0)


@pytest.mark.parametrize(
    ("breakage", "message"),
    [
        ("pickle", "is a pickle file, which robolearn never loads"),
        ("truncated", "is damaged"),
        ("tampered", "does not match its SHA-256"),
        ("missing", "has no trained agent yet"),
        ("checkpoint", "is of kind 'training', expected 'agent'"),
        ("genome", "expected a finite genome of .* elements"),
        ("nan", "expected a finite genome"),
        ("incomplete", "holds no agent: 'hyper' is missing"),
        ("unknown brain", "unknown agent 'spikin'; did you mean 'spiking'"),
    ],
)
def test_broken_weights_are_refused_in_one_line(breakage: str, message: str, copy: Path):
    weights = copy / WEIGHTS
    content = bytearray(weights.read_bytes())
    arrays, saved = load_arrays(weights, "agent")
    if breakage == "pickle":
        weights.write_bytes(pickle.dumps(arrays))
    elif breakage == "truncated":
        weights.write_bytes(content[:-4])
    elif breakage == "tampered":
        content[-1] ^= 1
        weights.write_bytes(content)
    elif breakage == "missing":
        weights.unlink()
    elif breakage == "checkpoint":
        shutil.copy(max((copy / "checkpoints").iterdir()), weights)
    elif breakage == "genome":
        save_arrays(weights, {**arrays, "genome": arrays["genome"][:-1]}, saved, "agent")
    elif breakage == "nan":
        save_arrays(weights, {**arrays, "genome": arrays["genome"] * np.nan}, saved, "agent")
    elif breakage == "incomplete":
        del saved["hyper"]
        save_arrays(weights, arrays, saved, "agent")
    elif breakage == "unknown brain":
        save_arrays(weights, arrays, {**saved, "agent": "spikin"}, "agent")
    with pytest.raises(UserError, match=message) as caught:
        robolearn.load(copy)
    assert str(copy) in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_later_default_does_not_change_a_trained_agent(run: Path, agents_folder: Path):
    before = load_trained(run)
    definition = agents_folder / "spiking" / "agent.yaml"
    content = yaml.safe_load(definition.read_text())
    content["parameters"]["membrane_tau_s"] *= 2
    content["parameters"]["rule"] = "none"
    definition.write_text(yaml.safe_dump(content))
    assert registry.defaults("spiking")["rule"] == "none"
    after = load_trained(run)
    assert after.agent.genome == before.agent.genome
    observation = np.ones(before.agent.observation_size)
    first, second = robolearn.zoo.Policy(before), robolearn.zoo.Policy(after)
    for _ in range(3):
        np.testing.assert_array_equal(first(observation), second(observation))


def test_a_published_run_is_loaded_by_name(run: Path, agents_folder: Path):
    folder = publish(run)
    assert folder == agents_folder / "spiking" / "trained" / "quadruped-tiny"
    assert sorted(path.name for path in folder.parent.iterdir()) == ["quadruped-tiny"]
    assert sorted(path.name for path in folder.iterdir()) == [
        "card.md",
        "config.yaml",
        "metrics.json",
        WEIGHTS,
    ]
    policy = robolearn.load("spiking/quadruped-tiny")
    assert policy.name == "spiking/quadruped-tiny"
    np.testing.assert_array_equal(policy.trained.genome, load_trained(run).genome)


def test_runs_in_a_folder_called_trained_are_not_of_the_zoo(tmp_path: Path):
    run = tmp_path / "trained" / "seed-0"
    assert not is_zoo_entry(run)
    assert name_of(run) == str(run)
    assert all(is_zoo_entry(entry) for entry in zoo_entries())


def test_files_about_an_agent_are_named_by_recipe_and_seed_without_a_dot(run: Path):
    trained = load_trained(run)
    other = dataclasses.replace(trained, config=tiny_config(name="walker-v0.2", seed=3))
    assert (trained.file_name, other.file_name) == ("tiny-seed-0", "walker-v0-2-seed-3")
    assert load_trained("spiking/quadruped-quickstart").file_name == "quadruped-quickstart"


def test_the_metrics_of_a_zoo_agent_are_those_of_its_weights(copy: Path, agents_folder: Path):
    command = f"robolearn evaluate {copy} --protocol damage --with /home/me/rules.py"
    evaluation = {
        "format": "x",
        "command": command,
        "intact": {"mean_performance": 0.25},
        "lives": [1, 2, 3],
    }
    (copy / "evaluation.json").write_text(json.dumps(evaluation))
    folder = publish(copy, "own-name")
    metrics = json.loads((folder / "metrics.json").read_text())
    latest = RunFolder.open(copy).checkpoints.latest()
    assert latest is not None
    assert metrics["validation"]["score"] == latest[2]["best_score"]
    assert metrics["validation"]["generation"] == latest[2]["best_generation"]
    assert metrics["command"] == "robolearn train tiny.yaml"
    assert metrics["evaluation"] == {
        "format": "x",
        "command": "robolearn evaluate spiking/own-name --protocol damage --with rules.py",
        "intact": {"mean_performance": 0.25},
    }
    card = (folder / "card.md").read_text()
    assert card.startswith("# spiking/own-name\n")
    assert "robolearn train tiny.yaml" in card
    assert "| intact: mean_performance | 0.25 |" in card


def test_the_command_of_a_zoo_agent_tells_nothing_of_the_machine(copy: Path, agents_folder: Path):
    info = json.loads((copy / "run.json").read_text())
    info["command"] = f"robolearn train /home/me/tiny.yaml --seed 3 --out {copy}"
    (copy / "run.json").write_text(json.dumps(info))
    metrics = json.loads((publish(copy, "elsewhere") / "metrics.json").read_text())
    assert metrics["command"] == "robolearn train tiny.yaml --seed 3"


def test_an_entry_is_replaced_only_on_demand_and_keeps_its_card(run: Path, agents_folder: Path):
    folder = publish(run)
    (folder / "card.md").write_text("written by hand")
    (folder / WEIGHTS).unlink()
    with pytest.raises(UserError, match="exists: give another name"):
        publish(run)
    publish(run, replace=True)
    assert (folder / "card.md").read_text() == "written by hand"
    assert (folder / WEIGHTS).is_file()


def test_a_bad_name_for_the_zoo_is_refused(run: Path, agents_folder: Path):
    with pytest.raises(UserError, match="expected letters"):
        publish(run, "../mine")
    assert not (agents_folder / "spiking" / "trained").exists()


def test_an_unknown_agent_is_answered_with_the_nearest(run: Path, agents_folder: Path):
    publish(run)
    with pytest.raises(UserError, match="did you mean 'spiking/quadruped-tiny'"):
        robolearn.load("spiking/quadrupde-tiny")


def test_a_folder_of_runs_is_answered_with_its_runs(run: Path):
    with pytest.raises(UserError, match=r"is a folder of runs: name one \(valid: .*trained"):
        robolearn.load(run.parent)
