"""A training that begins from another run: fine-tuning after damage."""

import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from test_deep_rl import COMMAND, error_of, learner, tiny_ppo

from robolearn import training
from robolearn.config import load_config
from robolearn.errors import UserError
from robolearn.learning.deep_rl.learner import DeepRL
from robolearn.tracking.run import RunFolder
from robolearn.zoo import load_trained


@pytest.mark.parametrize("kind", ["ppo", "recurrent_ppo", "sac", "td3"])
def test_it_begins_with_all_that_the_other_learned_and_counts_its_own_steps(kind: str):
    trained, other = learner(kind), learner(kind, seed=1)
    for _ in range(3):
        trained.step()
    arrays, _ = trained.state()
    other.begin_from(arrays)
    assert np.array_equal(other.genome, trained.genome)
    assert np.array_equal(other.best_genome, trained.genome)
    assert (other.iteration, other.total_steps, other.best_iteration) == (0, 0, -1)
    again, _ = other.state()
    names = set(arrays) - {"best_genome"}
    assert all(np.array_equal(again[name], arrays[name]) for name in names)
    assert other.step().index == 0
    assert other.total_steps == trained.config.iteration_steps


@pytest.mark.parametrize("kind", ["ppo", "sac"])
def test_the_first_steps_are_as_good_as_the_last_of_the_other(kind: str):
    trained, other, naive = learner(kind), learner(kind, seed=1), learner(kind, seed=1)
    for _ in range(10):
        trained.step()
    other.begin_from(trained.state()[0])
    rewards = [one.step().metrics["fitness/mean"] for one in (other, naive)]
    assert error_of(other) < 0.03
    assert rewards[0] > rewards[1] + 1.0  # sums over 8 steps; SAC acts by policy, not at random


@pytest.fixture(scope="module")
def source(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A finished run; tests must not change it."""
    run = tmp_path_factory.mktemp("runs") / "ppo"
    training.train(tiny_ppo(), run, COMMAND)
    return run


def fine_tuning(source: Path, **sections: Any) -> Any:
    learning = {"start_from": str(source)} | sections.pop("learning", {})
    return tiny_ppo(learning=learning, **sections)


def read_out(run: Path) -> Any:
    """Return the weights of the actor's last layer in the newest checkpoint."""
    latest = RunFolder.open(run).checkpoints.latest()
    assert latest is not None
    return latest[1]["algorithm/policy/action_net.weight"]


def stop_at(iteration: int, monkeypatch: pytest.MonkeyPatch, config: Any, run: Path) -> None:
    """Train until Ctrl-C is pressed after some iterations."""
    real = DeepRL.step

    def step(self: DeepRL) -> Any:
        if self.iteration == iteration:
            raise KeyboardInterrupt
        return real(self)

    with monkeypatch.context() as patch:
        patch.setattr(DeepRL, "step", step)
        with pytest.raises(KeyboardInterrupt):
            training.train(config, run, COMMAND)


def test_a_run_on_a_hurt_body_goes_on_from_the_newest_checkpoint(source: Path, tmp_path: Path):
    env = tiny_ppo().to_mapping()["env"] | {"shifts": ["limb_damage:front_left:dead"]}
    config = fine_tuning(source, env=env, learning={"learning_rate": 1e-9})
    training.train(config, tmp_path / "run", COMMAND)
    lines = RunFolder.open(tmp_path / "run").read_metrics()
    assert [line["environment_steps"] for line in lines] == [64, 128]
    np.testing.assert_allclose(read_out(tmp_path / "run"), read_out(source), atol=1e-6)


def test_a_run_stopped_before_its_first_checkpoint_begins_from_its_source_again(
    source: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    config = fine_tuning(source, learning={"learning_rate": 1e-9})
    stop_at(0, monkeypatch, config, tmp_path / "run")
    assert training.resume(tmp_path / "run", COMMAND)
    np.testing.assert_allclose(read_out(tmp_path / "run"), read_out(source), atol=1e-6)


def test_a_run_with_a_checkpoint_needs_its_source_no_more(
    source: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    copy = Path(shutil.copytree(source, tmp_path / "source"))
    config = fine_tuning(copy, learning={"learning_rate": 1e-9})
    stop_at(1, monkeypatch, config, tmp_path / "run")
    shutil.rmtree(copy)
    assert training.resume(tmp_path / "run", COMMAND)
    np.testing.assert_allclose(read_out(tmp_path / "run"), read_out(source), atol=1e-6)
    assert load_trained(tmp_path / "run").genome.size


def test_a_source_that_does_not_fit_is_told_in_one_line(source: Path, tmp_path: Path):
    def error(**sections: Any) -> str:
        with pytest.raises(UserError) as caught:
            training.train(fine_tuning(source, **sections), tmp_path / "run", COMMAND)
        assert not (tmp_path / "run").exists()
        return str(caught.value)

    where = f"learning.start_from = {str(source)!r}: "
    assert error(agent={"kind": "policy", "hidden": [9]}) == (
        f"{where}its agent.hidden is [8], expected [9] as here"
    )
    assert error(agent={"kind": "policy", "hidden": [8], "activation": "relu"}) == (
        f"{where}its agent.activation is 'tanh', expected 'relu' as here"
    )
    nowhere = str(tmp_path / "nowhere")
    assert error(learning={"start_from": nowhere}).startswith(
        f"learning.start_from = {nowhere!r}: no run folder at"
    )
    empty = Path(shutil.copytree(source, tmp_path / "empty"))
    shutil.rmtree(empty / "checkpoints")
    assert error(learning={"start_from": str(empty)}) == (
        f"learning.start_from = {str(empty)!r}: the run has no checkpoint to begin with"
    )


@pytest.mark.parametrize(
    ("recipe", "override", "message"),
    [
        ("quickstart", "learning.start_from=runs/x", "unknown key 'learning.start_from'"),
        ("quadruped_ppo", "learning.start_from=3", "learning.start_from = 3: .*a text"),
        ("quadruped_ppo", "learning.start_fom=x", "unknown key 'learning.start_fom'; did you mean"),
    ],
)
def test_mistakes_are_told_in_one_line(recipe: str, override: str, message: str):
    with pytest.raises(UserError, match=message):
        load_config(recipe, [override])
