"""A training: its bits follow from config and seed alone, and what goes wrong costs no result."""

import json
import shutil
import subprocess
from pathlib import Path
from typing import Any

import numba
import numpy as np
import pytest
import yaml
from tiny_run import result_of, tiny_config, write_tiny

import robolearn.simulation
from robolearn import training
from robolearn.errors import UserError
from robolearn.tracking import wandb_log
from robolearn.tracking.run import RunFolder

COMMAND = ["robolearn", "train", "tiny.yaml"]


@pytest.fixture(scope="module")
def reference(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A finished run of the tiny config; tests must not change it."""
    run = tmp_path_factory.mktemp("runs") / "reference"
    training.train(tiny_config(), run, COMMAND)
    return run


def test_equal_config_and_seed_give_equal_bits(reference: Path, tmp_path: Path) -> None:
    training.train(tiny_config(), tmp_path / "again", COMMAND)
    assert result_of(tmp_path / "again") == result_of(reference)


def test_another_seed_gives_another_result(reference: Path, tmp_path: Path) -> None:
    training.train(tiny_config(seed=1), tmp_path / "other", COMMAND)
    assert result_of(tmp_path / "other")["metrics"][0] != result_of(reference)["metrics"][0]


@pytest.mark.parametrize("threads", [1, 2])
def test_the_number_of_threads_changes_no_bit(
    threads: int, reference: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    if threads > numba.get_num_threads():
        pytest.skip("this machine gives numba one thread")
    monkeypatch.setattr(robolearn.simulation, "available_cores", lambda: threads)
    before = numba.get_num_threads()
    numba.set_num_threads(threads)
    try:
        training.train(tiny_config(), tmp_path / "run", COMMAND)
    finally:
        numba.set_num_threads(before)
    assert result_of(tmp_path / "run") == result_of(reference)


def test_every_generation_is_logged_and_the_due_ones_are_validated(reference: Path) -> None:
    metrics = RunFolder.open(reference).read_metrics()
    assert [line["step"] for line in metrics] == [0, 1, 2, 3]
    assert ["validation/score" in line for line in metrics] == [False, True, False, True]
    assert all(line["fitness/mean"] <= line["fitness/best"] for line in metrics)
    assert metrics[-1]["environment_steps"] == sum(8 * line["life_steps"] for line in metrics)


def test_the_weights_are_those_of_the_best_validation(reference: Path) -> None:
    run = RunFolder.open(reference)
    latest = run.checkpoints.latest()
    assert latest is not None
    scores = [m["validation/score"] for m in run.read_metrics() if "validation/score" in m]
    assert latest[2]["best_score"] == max(scores)
    assert latest[2]["best_generation"] == 2 * (1 + scores.index(max(scores)))


def test_the_run_keeps_the_whole_config(reference: Path) -> None:
    assert RunFolder.open(reference).config == tiny_config().to_mapping()
    assert RunFolder.open(reference).config["agent"]["spike_steps"] == 4


def test_a_taken_folder_is_refused_and_left_alone(tmp_path: Path) -> None:
    (tmp_path / "notes.txt").write_text("mine")
    with pytest.raises(UserError, match=r"not empty.*use a free name such as"):
        training.train(tiny_config(), tmp_path, COMMAND)
    assert [path.name for path in tmp_path.iterdir()] == ["notes.txt"]


def test_a_recipe_called_config_yaml_is_never_taken_for_the_rest_of_a_run(tmp_path: Path) -> None:
    recipe = write_tiny(tmp_path / "config.yaml")
    with pytest.raises(UserError, match="not empty"):
        training.train(tiny_config(), tmp_path, COMMAND)
    assert recipe.is_file()


def test_a_run_killed_while_it_was_begun_can_be_begun_again(
    reference: Path, tmp_path: Path
) -> None:
    run = tmp_path / "run"
    run.mkdir()
    (run / "run.lock").write_text("1\n")
    (run / "config.yaml").write_text("name: half")
    (run / ".run.json.0a1b2c3d.tmp").write_text("{")
    training.train(tiny_config(), run, COMMAND)
    assert result_of(run) == result_of(reference)


def test_a_config_that_does_not_fit_its_body_leaves_no_folder(tmp_path: Path) -> None:
    config = tiny_config()
    late = config.env.model_copy(update={"shifts": ["limb_damage:front_left:dead@5s"]})
    with pytest.raises(UserError, match="past the end of life"):
        training.train(config.model_copy(update={"env": late}), tmp_path / "run", COMMAND)
    assert not (tmp_path / "run").exists()


def test_to_resume_a_finished_run_does_nothing(reference: Path) -> None:
    before = {path: path.read_bytes() for path in reference.rglob("*") if path.is_file()}
    assert training.resume(reference, COMMAND) is False
    assert before == {path: path.read_bytes() for path in reference.rglob("*") if path.is_file()}


def test_lost_weights_of_a_finished_run_are_written_again(reference: Path, tmp_path: Path) -> None:
    run = Path(shutil.copytree(reference, tmp_path / "run"))
    (run / "weights.safetensors").unlink()
    assert training.resume(run, COMMAND) is True
    assert result_of(run) == result_of(reference)


def test_a_finished_run_goes_on_when_its_config_asks_for_more(tmp_path: Path) -> None:
    run = tmp_path / "run"
    training.train(tiny_config(learning={"generations": 2}), run, COMMAND)
    content = yaml.safe_load((run / "config.yaml").read_text())
    content["learning"]["generations"] = 4
    (run / "config.yaml").write_text(yaml.safe_dump(content))
    assert training.resume(run, COMMAND) is True
    training.train(tiny_config(), tmp_path / "at once", COMMAND)
    assert result_of(run) == result_of(tmp_path / "at once")


def test_a_damaged_newest_checkpoint_costs_a_generation_and_no_bit(
    reference: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = tmp_path / "run"
    _interrupt_in_generation(3, monkeypatch)
    with pytest.raises(KeyboardInterrupt):
        training.train(tiny_config(), run, COMMAND)
    monkeypatch.undo()
    newest = max((run / "checkpoints").iterdir())
    newest.write_bytes(newest.read_bytes()[:-1])
    with pytest.warns(RuntimeWarning, match=f"{newest.name} is damaged.*using"):
        assert training.resume(run, COMMAND)
    assert result_of(run) == result_of(reference)


def test_a_checkpoint_of_another_brain_is_refused(tmp_path: Path) -> None:
    run = tmp_path / "run"
    training.train(tiny_config(learning={"generations": 1}), run, COMMAND)
    content = yaml.safe_load((run / "config.yaml").read_text())
    content["agent"]["hidden"], content["learning"]["generations"] = 5, 2
    (run / "config.yaml").write_text(yaml.safe_dump(content))
    info = json.loads((run / "run.json").read_text())
    del info["config"]  # as in runs of older versions
    (run / "run.json").write_text(json.dumps(info))
    with pytest.raises(UserError, match=r"checkpoint does not fit its config \(.*shape"):
        training.resume(run, COMMAND)


@pytest.mark.parametrize(
    ("section", "key", "value", "told"),
    [
        (None, "seed", 1, r"seed = 1: the run was begun with 0 \(only learning.generations"),
        ("learning", "population", 4, "learning.population = 4: the run was begun with 8"),
        ("agent", "modules", "legs", "agent.modules = 'legs': the run was begun with None"),
        ("env", "shifts", [], r"env.shifts = \[\]: the run was begun with"),
        ("env", "rewards", {"speed": 2.0}, r"env\.rewards.* = .*: the run was begun with"),
    ],
)
def test_a_run_does_not_go_on_as_another_one(
    section: str | None, key: str, value: Any, told: str, reference: Path, tmp_path: Path
) -> None:
    run = Path(shutil.copytree(reference, tmp_path / "run"))
    content = yaml.safe_load((run / "config.yaml").read_text())
    (content[section] if section else content)[key] = value
    content["learning"]["generations"] = 6
    (run / "config.yaml").write_text(yaml.safe_dump(content))
    with pytest.raises(UserError, match=told):
        training.resume(run, COMMAND)


def test_a_run_does_not_go_on_with_one_parameter_more(tmp_path: Path) -> None:
    training.train(tiny_config(env={"parameters": {"clock_hz": 4.0}}), tmp_path / "run", COMMAND)
    content = yaml.safe_load((tmp_path / "run/config.yaml").read_text())
    content["env"]["parameters"]["target_speed"] = 0.3
    (tmp_path / "run/config.yaml").write_text(yaml.safe_dump(content))
    with pytest.raises(UserError, match=r"env\.parameters\.target_speed = 0\.3: the run was"):
        training.resume(tmp_path / "run", COMMAND)


def test_a_finished_run_without_checkpoints_cannot_be_prolonged(
    reference: Path, tmp_path: Path
) -> None:
    run = Path(shutil.copytree(reference, tmp_path / "run"))
    shutil.rmtree(run / "checkpoints")
    assert training.resume(run, COMMAND) is False
    config = (run / "config.yaml").read_text()
    (run / "config.yaml").write_text(config.replace("generations: 4", "generations: 6"))
    with pytest.raises(UserError, match="no checkpoint is left from which it could go on"):
        training.resume(run, COMMAND)


def test_an_interrupted_run_keeps_its_last_whole_generation(
    reference: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = tmp_path / "run"
    config = tiny_config(tracking={"checkpoint_every": 100})
    _interrupt_in_generation(3, monkeypatch)
    with pytest.raises(KeyboardInterrupt):
        training.train(config, run, COMMAND)
    monkeypatch.undo()
    assert RunFolder.open(run).status == "interrupted"
    assert RunFolder.open(run).checkpoints.steps() == [3]
    assert training.resume(run, COMMAND)
    assert RunFolder.open(run).status == "finished"
    assert _without_checkpoints(run) == _without_checkpoints(reference)


def test_a_full_disk_ends_in_one_line_and_the_run_can_go_on(
    reference: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = tmp_path / "run"
    real = RunFolder.log

    def fill_the_disk(self: RunFolder, step: int, metrics: dict[str, Any]) -> None:
        if step == 2:
            raise UserError(f"cannot write {self.path}: No space left on device")
        real(self, step, metrics)

    monkeypatch.setattr(RunFolder, "log", fill_the_disk)
    with pytest.raises(UserError, match="No space left"):
        training.train(tiny_config(), run, COMMAND)
    monkeypatch.undo()
    assert RunFolder.open(run).status == "failed"
    assert training.resume(run, COMMAND)
    assert result_of(run) == result_of(reference)


def test_films_in_training_cost_no_bit_and_a_failing_one_no_training(
    reference: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture
) -> None:
    filmed = []

    def film(agent: Any, out: Path, **options: Any) -> list[Path]:
        filmed.append((out.name, np.array(agent.genome)))
        if len(filmed) == 2:
            raise RuntimeError("the camera broke")
        return [out.with_suffix(".npz")]

    monkeypatch.setattr("robolearn.filming.film_life", film)
    training.train(tiny_config(tracking={"film_every": 2}), tmp_path / "run", COMMAND)
    assert [name for name, _ in filmed] == ["generation-00002", "generation-00004"]
    assert not np.array_equal(filmed[0][1], filmed[1][1])
    assert "no film of generation 4: the camera broke" in capsys.readouterr().err
    assert result_of(tmp_path / "run") == result_of(reference)


def test_a_resumed_run_continues_the_same_wandb_run(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    opened = []

    class Recorder(wandb_log.WandbLog):
        def __init__(self, mode: str, folder: Path, **options: Any) -> None:
            opened.append({"mode": mode, **options})
            super().__init__("off", folder)

    monkeypatch.setattr(training, "WandbLog", Recorder)
    config = tiny_config(tracking={"wandb": "auto"})
    _interrupt_in_generation(2, monkeypatch)
    with pytest.raises(KeyboardInterrupt):
        training.train(config, tmp_path / "run", COMMAND)
    monkeypatch.setattr(training.Evolution, "step", _STEP)
    training.resume(tmp_path / "run", COMMAND)
    training.train(config, tmp_path / "other", COMMAND)
    assert opened[0]["run_id"] == opened[1]["run_id"] != opened[2]["run_id"]
    assert opened[0]["run_id"] == json.loads((tmp_path / "run/wandb.json").read_text())["id"]
    assert opened[0]["config"]["learning"]["population"] == 8
    assert opened[0]["name"] == "tiny-seed-0"


def test_wandb_without_a_key_is_offline_quiet_and_never_asks(
    reference: Path, tmp_path: Path, nobody_is_logged_in: None, capfd: pytest.CaptureFixture
) -> None:
    training.train(tiny_config(tracking={"wandb": "auto"}), tmp_path / "run", COMMAND)
    out, err = capfd.readouterr()
    assert out == ""
    assert "W&B" not in err
    assert list((tmp_path / "run").glob("wandb/offline-run-*/run-*.wandb"))
    assert result_of(tmp_path / "run") == result_of(reference)


def test_a_killed_wandb_process_costs_no_bit(
    reference: Path,
    tmp_path: Path,
    nobody_is_logged_in: None,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture,
) -> None:
    real = wandb_log.WandbLog.log
    processes: list[subprocess.Popen[bytes]] = []

    def log_and_kill(self: Any, step: int, metrics: dict[str, Any]) -> None:
        real(self, step, metrics)
        if step == 1:
            processes.append(self._process)
            self._process.kill()
            self._process.wait()

    monkeypatch.setattr(wandb_log.WandbLog, "log", log_and_kill)
    training.train(tiny_config(tracking={"wandb": "offline"}), tmp_path / "run", COMMAND)
    assert processes[0].poll() is not None
    assert capsys.readouterr().err.count("W&B is off") == 1
    assert RunFolder.open(tmp_path / "run").status == "finished"
    assert result_of(tmp_path / "run") == result_of(reference)


@pytest.fixture
def nobody_is_logged_in(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    home = tmp_path / "home"
    home.mkdir()
    monkeypatch.setenv("HOME", str(home))
    monkeypatch.setenv("NETRC", str(home / "netrc"))
    monkeypatch.setenv("WANDB_CONFIG_DIR", str(home))
    monkeypatch.setenv("WANDB_BASE_URL", "http://127.0.0.1:9")  # nothing may reach the network
    for name in ("WANDB_API_KEY", "WANDB_MODE", "WANDB_DISABLED"):
        monkeypatch.delenv(name, raising=False)


_STEP = training.Evolution.step


def _interrupt_in_generation(index: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """Let Ctrl-C come in the middle of generation `index`, counted from 0."""

    def step(self: Any) -> Any:
        if self.iteration == index:
            _STEP(self)  # the search has moved, and nothing of it was kept
            raise KeyboardInterrupt
        return _STEP(self)

    monkeypatch.setattr(training.Evolution, "step", step)


def _without_checkpoints(run: Path) -> dict[str, Any]:
    return {name: v for name, v in result_of(run).items() if not name.startswith("step_")}


@pytest.mark.parametrize(("env", "label"), [("Quadruped", "m/s"), ("Reach", "performance")])
def test_what_has_no_unit_is_shown_by_its_name(env, label, tmp_path, capsys):
    once = {"generations": 1, "population": 2, "validation_lives": 1, "validate_every": 1}
    config = tiny_config(env={"id": f"robolearn/{env}-v0", "shifts": []}, learning=once)
    training.train(config, tmp_path / "run", ["x"])
    last = capsys.readouterr().err.splitlines()[-1]
    assert f"| {label} " in last, last
