"""A tuning: finds the better value, wastes no trial, and can be left and taken up at any moment."""

import contextlib
import io
import shlex
import shutil
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from tiny_run import write_tiny
from typer.testing import CliRunner

from robolearn import training
from robolearn.cli import app
from robolearn.config import load_config
from robolearn.errors import UserError
from robolearn.tracking import run_lock
from robolearn.tracking.run import RunFolder
from robolearn.tuning.space import override, parse_space
from robolearn.tuning.study import TUNING_SEED_OFFSET, Tuning

pytest.importorskip("optuna")

COMMAND = ["robolearn", "tune", "tiny.yaml"]
SIGMA = ["learning.sigma=0.05..0.5:log"]
_STEP = training.Evolution.step


def write_recipe(folder: Path) -> Path:
    return write_tiny(folder / "tiny.yaml", learning={"generations": 2, "validate_every": 1})


@pytest.fixture
def recipe(tmp_path: Path) -> Path:
    return write_recipe(tmp_path)


def tuning(recipe: Path, space: list[str], out: str = "tuning") -> Tuning:
    return Tuning(str(recipe), ["learning.population=4"], space, recipe.parent / out, COMMAND)


def outcome(tuned: Tuning) -> list[tuple[Any, ...]]:
    return [(trial.state, trial.params, trial.value) for trial in tuned.study.trials]


@pytest.fixture(scope="module")
def reference(tmp_path_factory: pytest.TempPathFactory) -> tuple[Tuning, str]:
    """A tuning of eight trials, and what it told; tests must not change it."""
    told = io.StringIO()
    with contextlib.redirect_stderr(told):
        tuned = tuning(write_recipe(tmp_path_factory.mktemp("reference")), SIGMA)
        tuned.run(8)
    return tuned, told.getvalue()


def test_the_best_trial_is_the_best_of_single_trainings_on_the_tuning_seed(
    recipe: Path, tmp_path: Path
) -> None:
    tuned = tuning(recipe, ["learning.sigma=0.02,0.5"])
    tuned.run(4)
    scores = {}
    for sigma in (0.02, 0.5):
        keys = ["learning.population=4", f"learning.sigma={sigma}", f"seed={TUNING_SEED_OFFSET}"]
        run = tmp_path / f"alone-{sigma}"
        training.train(load_config(recipe, keys), run, COMMAND)
        lines = RunFolder.open(run).read_metrics()
        scores[sigma] = max(line["validation/score"] for line in lines)
    assert len(set(scores.values())) == 2
    best = tuned.finished()[0]
    assert best.value == max(scores.values())
    assert scores[tuned.settings_of(best)["learning.sigma"]] == best.value


def test_values_that_were_trained_are_not_trained_again(
    recipe: Path, capsys: pytest.CaptureFixture
) -> None:
    tuned = tuning(recipe, ["learning.sigma=0.02,0.5"])
    tuned.run(5)
    assert len(tuned.study.trials) == 5
    assert len(list(tuned.out.glob("trial-*"))) == 2
    assert capsys.readouterr().err.count("not trained again") == 3


def test_an_interrupted_tuning_ends_as_if_it_never_was(
    recipe: Path, reference: tuple[Tuning, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    trained = []

    def step(self: Any) -> Any:
        trained.append(self.iteration)
        if len(trained) == 4:  # in the last generation of the second trial
            raise KeyboardInterrupt
        return _STEP(self)

    monkeypatch.setattr(training.Evolution, "step", step)
    with pytest.raises(KeyboardInterrupt):
        tuning(recipe, SIGMA).run(3)
    again = tuning(recipe, SIGMA)
    again.run(3)
    assert trained == [0, 1, 0, 1, 1, 0, 1]
    assert outcome(again) == outcome(reference[0])[:3]
    again.run(3)
    assert len(trained) == 7


def test_a_half_written_last_line_of_the_journal_costs_nothing(
    recipe: Path, reference: tuple[Tuning, str]
) -> None:
    shutil.copytree(reference[0].out, recipe.parent / "tuning")
    with (recipe.parent / "tuning" / "journal.log").open("ab") as journal:
        journal.write(b'{"op_code":4,"wor')
    after = tuning(recipe, SIGMA)
    after.run(9)
    assert outcome(after)[:8] == outcome(reference[0])
    assert len(outcome(tuning(recipe, SIGMA))) == 9


def test_two_tunings_of_one_folder_share_its_trials(
    recipe: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    one, other = tuning(recipe, SIGMA), tuning(recipe, SIGMA)

    def step(self: Any) -> Any:
        monkeypatch.setattr(training.Evolution, "step", _STEP)
        other.run(3)  # while the first trial of `one` is under way
        return _STEP(self)

    monkeypatch.setattr(training.Evolution, "step", step)
    one.run(3)
    assert [trial.state.name for trial in one.study.trials] == ["COMPLETE"] * 3
    assert len({trial.value for trial in one.study.trials}) == 3


def test_values_that_do_not_fit_the_brain_fail_their_trial_alone(
    recipe: Path, capsys: pytest.CaptureFixture
) -> None:
    whole = ["learning.population=4", "learning.kind=cma_es"]
    out = recipe.parent / "tuning"
    tuned = Tuning(str(recipe), whole, ["agent.hidden=64,96"], out, COMMAND)
    tuned.run(2)
    assert tuned.counts() == {"fail": 2}
    assert capsys.readouterr().err.count(": failed, learning.kind: cma_es searches genomes of") == 2


def test_a_full_disk_fails_no_trial(recipe: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: Any) -> None:
        raise UserError("cannot make folder") from OSError("No space left on device")

    monkeypatch.setattr(training, "train", refuse)
    tuned = tuning(recipe, SIGMA)
    with pytest.raises(UserError, match="cannot make folder"):
        tuned.run(1)
    assert tuned.counts() == {"running": 1}


def test_whoever_waits_to_hand_out_trials_waits_on(
    recipe: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    tuned, waited = tuning(recipe, SIGMA), []
    holder, real = run_lock.RunLock(tuned.out / "locks"), run_lock._lock_patiently

    def wait(descriptor: int) -> bool:
        if len(waited) == 2:
            holder.release()
        waited.append(descriptor)
        return real(descriptor)

    monkeypatch.setattr(run_lock, "_PATIENCE_S", 0.0)
    monkeypatch.setattr(run_lock, "_lock_patiently", wait)
    tuned._lock_all().release()
    assert len(waited) == 3


def test_poor_trials_are_pruned_below_the_median_and_told(
    reference: tuple[Tuning, str],
) -> None:
    tuned, told = reference
    trials = tuned.study.trials
    pruned = [trial for trial in trials if trial.state.name == "PRUNED"]
    assert pruned
    assert all(trial.number >= 4 for trial in pruned)
    for trial in pruned:
        rivals = [t for t in trials[: trial.number] if t.state.name == "COMPLETE"]
        median = np.median([t.intermediate_values[50] for t in rivals])
        assert trial.intermediate_values[50] < median
        assert RunFolder.open(tuned.out / f"trial-{trial.number:04d}").status == "interrupted"
    assert told.count(": pruned at ") == len(pruned)


def test_the_verb_ends_with_a_command_that_trains_the_best_on_the_recipes_seed(
    recipe: Path,
) -> None:
    out = str(recipe.parent / "out")
    words = ["tune", str(recipe), "agent.hidden=3", "--space", *SIGMA, "--trials", "2"]
    answer = CliRunner().invoke(app, [*words, "--out", out], catch_exceptions=False)
    assert answer.exit_code == 0
    assert f"tuned on seed {TUNING_SEED_OFFSET}" in answer.stdout
    program, verb, source, *overrides = shlex.split(answer.stdout.splitlines()[-1])
    assert [program, verb, source] == ["robolearn", "train", str(recipe)]
    config = load_config(source, overrides)
    assert (config.seed, config.agent.hyper["hidden"]) == (0, 3)
    sigmas = [
        RunFolder.open(path).config["learning"]["sigma"] for path in Path(out).glob("trial-*")
    ]
    assert config.learning.hyper["sigma"] in sigmas


@pytest.mark.parametrize(
    ("space", "message"),
    [
        ([], "at least one --space"),
        (["learning.sigmaa=0.1..0.5"], "did you mean 'learning.sigma'"),
        (["env.life_s=1..2"], "unknown key of --space 'env.life_s'"),
        (["learning.sigma"], "must be key=LOW..HIGH"),
        (["learning.sigma=0.5..0.1"], "needs LOW < HIGH"),
        (["learning.sigma=0..1:log"], "needs 0 < LOW < HIGH"),
        (["learning.sigma=0.1..1:lg"], "did you mean 'log'"),
        (["learning.sigma=a..b"], "'a' is no number"),
        (["learning.sigma=0.1"], "two values or more"),
        (["learning.sigma=0.1,0.2", "learning.sigma=0.1..0.2"], "given twice"),
        (["agent.hidden=0..8"], "agent.hidden = 0"),
        (["agent.rule=none,abdc"], "abdc"),
    ],
)
def test_a_wrong_space_is_told_before_a_folder_is_made(
    space: list[str], message: str, recipe: Path
) -> None:
    with pytest.raises(UserError, match=message) as caught:
        tuning(recipe, space)
    assert "\n" not in str(caught.value)
    assert not (recipe.parent / "tuning").exists()


def test_a_folder_of_something_else_is_refused_and_left_alone(recipe: Path) -> None:
    tuning(recipe, SIGMA)
    with pytest.raises(UserError, match="holds a tuning of another space"):
        tuning(recipe, ["agent.hidden=2,3"])
    (recipe.parent / "notes").mkdir()
    (recipe.parent / "notes" / "mine.txt").touch()
    with pytest.raises(UserError, match=r"holds mine\.txt and no tuning"):
        tuning(recipe, SIGMA, "notes")
    assert [path.name for path in (recipe.parent / "notes").iterdir()] == ["mine.txt"]


def test_without_optuna_one_line_says_what_to_install(
    recipe: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "optuna", None)
    with pytest.raises(UserError, match=r"pip install -e '\.\[tune\]'"):
        tuning(recipe, SIGMA)


def test_a_range_is_of_whole_numbers_only_where_the_key_holds_one(recipe: Path) -> None:
    config = load_config(recipe)
    sigma, hidden = parse_space(["learning.sigma=1..2", "agent.hidden=1..2"], config)
    assert [type(value) for value in (*sigma.values, *hidden.values)] == [float, float, int, int]


@pytest.mark.parametrize("value", [1e-5, 3, True, None, "none", "off", "3"])
def test_an_override_reads_back_as_its_value(value: Any) -> None:
    from robolearn.definitions import parse_yaml

    assert parse_yaml(override("key", value).removeprefix("key="), "key") == value
