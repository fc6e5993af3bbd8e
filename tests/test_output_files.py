"""Claims about files that verbs write: a target is checked before a life, and nothing is lost."""

import errno
import io
import json
import shutil
import signal
import sys
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest
import yaml
from command_line import Result
from numpy.typing import NDArray
from tiny_run import tiny_config

from robolearn import comparing, exits, filming, reporting
from robolearn.comparing import compare_agents
from robolearn.errors import UserError
from robolearn.evaluating import evaluate_agents
from robolearn.filming import film_comparison, film_life
from robolearn.recording.gl import available_gl
from robolearn.reporting import report
from robolearn.tracking.atomic_file import check_writable
from robolearn.tracking.console import PlainConsole
from robolearn.training import train
from robolearn.zoo import WEIGHTS

BROKEN_PIPE = 141
SHORT = {"life_s": 0.4, "episodes": 1, "walks_above": 0.0, "conditions": ["motor_gain:all:0.5"]}


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two seeds of a recipe that cannot walk, and a protocol."""
    folder = tmp_path_factory.mktemp("trained")
    once = {"generations": 2, "population": 4, "validation_lives": 1, "validate_every": 1}
    for seed in (0, 1):
        train(tiny_config(seed=seed, learning=once), folder / "runs" / f"seed-{seed}", ["x"])
    (folder / "short.yaml").write_text(yaml.safe_dump(SHORT))
    return folder


@pytest.fixture
def own(trained: Path, tmp_path: Path) -> Path:
    """A copy of `trained` that a test may damage."""
    return Path(shutil.copytree(trained, tmp_path / "own"))


@pytest.fixture
def no_lives(monkeypatch: pytest.MonkeyPatch) -> None:
    def live(*_: object, **__: object) -> None:
        raise AssertionError("a life was lived")

    monkeypatch.setattr(comparing, "evaluate_trained", live)
    monkeypatch.setattr("robolearn.evaluating.evaluate_trained", live)
    monkeypatch.setattr(filming, "live_on_camera", live)


class ClosedPipe(io.StringIO):
    def write(self, _: str) -> int:
        raise BrokenPipeError(errno.EPIPE, "Broken pipe")  # typer looks at the number


@pytest.fixture
def closed(monkeypatch: pytest.MonkeyPatch) -> Callable[..., int]:
    """Run the command line with a stdout that nobody reads; returns the exit code."""
    monkeypatch.setattr("warnings.showwarning", None)
    monkeypatch.setattr(exits, "drop_output", lambda: None)  # it is the tests' own, too

    def run(*arguments: object) -> int:
        from robolearn import cli

        monkeypatch.setattr(sys, "argv", ["robolearn", *map(str, arguments)])
        with monkeypatch.context() as patch:
            patch.setattr(sys, "stdout", ClosedPipe())
            with pytest.raises(SystemExit) as end:
                cli.main()
        assert isinstance(end.value.code, int)
        return end.value.code

    return run


# A reader that leaves early


def test_a_closed_pipe_costs_no_file(own: Path, tmp_path: Path, closed: Callable[..., int]) -> None:
    raw, table = tmp_path / "raw.json", tmp_path / "lives.csv"
    protocol = ["--protocol", own / "short.yaml"]
    assert closed("compare", own / "runs", *protocol, "--json", raw, "--csv", table) == BROKEN_PIPE
    assert json.loads(raw.read_text())["leaderboards"]
    assert table.read_text().count("\n") > 2
    assert closed("evaluate", own / "runs", *protocol, "--json", raw) == BROKEN_PIPE
    assert len(json.loads(raw.read_text())) == 2
    assert (own / "runs/seed-1/evaluation.json").is_file()


def test_a_closed_pipe_is_no_error_of_the_list_or_of_a_table(closed: Callable[..., int]) -> None:
    assert closed("list", "zoo") == BROKEN_PIPE
    console = PlainConsole(file=ClosedPipe())
    with pytest.raises(BrokenPipeError):
        console.print("[0.1]")


def test_tables_are_printed_although_a_file_could_not_be_written(
    own: Path, robolearn: Callable[..., Result], monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(path: Path, _: bytes) -> None:
        raise UserError(f"cannot write {path}: No space left on device")

    for verb in ("comparing", "evaluating"):
        monkeypatch.setattr(f"robolearn.{verb}.write_atomically", refuse)
    for verb in ("compare", "evaluate"):
        protocol = ["--protocol", own / "short.yaml"]
        answer = robolearn(verb, own / "runs/seed-0", *protocol, "--json", "raw.json")
        assert answer.code == 2
        assert "retention" in answer.out
        assert "raw numbers" not in answer.out
        assert "error: cannot write raw.json" in answer.err


# Targets


def test_a_file_that_can_be_written_leaves_no_trace_of_the_check(tmp_path: Path) -> None:
    (tmp_path / "old.json").write_text("old")
    for name in ("old.json", "new.json"):
        check_writable("--json", tmp_path / name)
    check_writable("--json", None)
    assert [path.name for path in tmp_path.iterdir()] == ["old.json"]
    assert (tmp_path / "old.json").read_text() == "old"


@pytest.mark.skipif(not Path("/proc/self").exists(), reason="needs a folder nobody can write to")
def test_a_folder_that_cannot_be_written_to_is_told_with_option_and_reason() -> None:
    with pytest.raises(UserError, match=r"^--json /proc/x\.json: cannot be written \(.+\)$"):
        check_writable("--json", Path("/proc/x.json"))


@pytest.mark.usefixtures("no_lives")
@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["evaluate", "--json", ""], "--json .: expected a file, this is a folder"),
        (["evaluate", "--json", "folder.html"], "--json folder.html: expected a file"),
        (["compare", "--json", "folder.html"], "--json folder.html: expected a file"),
        (["compare", "--csv", "gone/x.csv"], "--csv gone/x.csv: there is no folder gone"),
        (["compare", "--json", "x", "--csv", "./x"], "--csv x: --json names the same file"),
        (["report", "--out", "folder.html"], "--out folder.html: expected a file"),
        (["record", "--out", "."], "recording '.': expected a file's name"),
        (["record", "--out", ".."], "recording '..': expected a file's name"),
        (["record", "--out", "folder.html"], "--out folder.html: expected a file"),
        (["record", "--out", "x.avi"], "recording 'x.avi': the file's name must end in"),
        (["record", "--out", "gone/x.mp4"], "--out gone/x.mp4: there is no folder gone"),
        (["record", "--out", "gone/x"], "--out gone/x.mp4: there is no folder gone"),
        (["record", "--out", "tiny.yaml/x"], "--out tiny.yaml/x.mp4: there is no folder tiny.yaml"),
    ],
)
def test_a_target_that_cannot_be_is_refused_before_any_life(
    arguments: list[str],
    message: str,
    trained: Path,
    tmp_path: Path,
    robolearn: Callable[..., Result],
) -> None:
    (tmp_path / "folder.html").mkdir()
    answer = robolearn(*arguments, trained / "runs/seed-0")
    assert answer.code == 2
    assert answer.err.startswith("error: ")
    assert answer.err.count("\n") == 1
    assert message in answer.err
    assert sorted(path.name for path in tmp_path.iterdir()) == ["folder.html", "tiny.yaml"]


@pytest.mark.usefixtures("no_lives")
def test_films_of_several_are_refused_as_early(trained: Path, tmp_path: Path) -> None:
    agents = [trained / "runs/seed-0", trained / "runs/seed-1"]
    with pytest.raises(UserError, match=r"recording '\.': expected a file's name"):
        film_comparison(agents, Path())
    (tmp_path / "film.mp4").mkdir()
    for film in ("film", "film.mp4"):
        with pytest.raises(UserError, match=r"--out .*film\.mp4: expected a file"):
            film_comparison(agents, tmp_path / film)
    with pytest.raises(UserError, match=r"--out .*film\.mp4: there is no folder .*gone"):
        film_comparison(agents, tmp_path / "gone" / "film")


def test_a_training_finds_the_folder_of_its_films(tmp_path: Path) -> None:
    config = tiny_config(learning={"generations": 1}, tracking={"film_every": 1})
    train(config, tmp_path / "run", ["x"])
    assert (tmp_path / "run/films/generation-00001.npz").is_file()


@pytest.mark.skipif(available_gl() is None, reason="no OpenGL works here")
@pytest.mark.parametrize("verb", ["film_life", "film_comparison"])
def test_a_terminated_film_leaves_no_half_of_it(
    verb: str, trained: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:  # fmt: skip
    pictures = []

    def terminate(*_: object, **__: object) -> NDArray[np.uint8]:
        pictures.append(list(tmp_path.glob("*.part*")))
        signal.raise_signal(signal.SIGTERM)
        raise AssertionError("the signal was not heard")

    monkeypatch.setattr("robolearn.recording.frame_renderer.FrameRenderer.render", terminate)
    before = signal.getsignal(signal.SIGTERM)
    run = trained / "runs/seed-0"
    agents = run if verb == "film_life" else [run, run]
    with pytest.raises(SystemExit) as end:
        getattr(filming, verb)(agents, tmp_path / "film.mp4", [], life_s=0.2)
    assert end.value.code == 128 + signal.SIGTERM
    assert len(pictures) == 1
    assert not [file.name for file in tmp_path.iterdir() if ".part" in file.name]
    assert not (tmp_path / "film.mp4").exists()
    assert capsys.readouterr().err.endswith("interrupted before the film was done\n")
    assert signal.getsignal(signal.SIGTERM) is before


def test_films_can_be_made_in_a_thread_that_hears_no_signals(trained: Path, tmp_path: Path) -> None:
    with ThreadPoolExecutor(1) as threads:
        film = threads.submit(
            film_life, trained / "runs/seed-0", tmp_path / "life.html", [], life_s=0.1
        )
        assert film.result() == [tmp_path / "life.npz", tmp_path / "life.html"]


@pytest.mark.parametrize("out", [".", "..", ""])
def test_a_run_in_a_folder_of_other_things_is_refused_by_any_of_its_names(
    out: str, robolearn: Callable[..., Result], tmp_path: Path
) -> None:
    answer = robolearn("train", "tiny.yaml", "--out", out)
    folder = (tmp_path / out).resolve()
    assert answer.code == 2
    assert f"use a free name such as {folder}-" in answer.err
    assert [path.name for path in tmp_path.iterdir()] == ["tiny.yaml"]


# Runs that are damaged, or in a folder that refuses


def test_what_a_run_does_not_keep_is_told_and_the_others_are_evaluated(
    own: Path, robolearn: Callable[..., Result]
) -> None:
    (own / "runs/seed-0/evaluation.json").mkdir()
    arguments = ["--protocol", own / "short.yaml", "--json", "raw.json"]
    answer = robolearn("evaluate", own / "runs", *arguments)
    assert answer.code == 0
    told = [line for line in answer.err.splitlines() if "not kept" in line]
    assert len(told) == 1
    assert told[0].startswith("not kept in the run: cannot write ")
    assert len(json.loads(Path("raw.json").read_text())) == 2
    assert json.loads((own / "runs/seed-1/evaluation.json").read_text())["conditions"]


def test_broken_metrics_are_no_matter_of_an_evaluation_without_wandb(
    own: Path, robolearn: Callable[..., Result]
) -> None:
    run = own / "runs/seed-0"
    (run / "metrics.jsonl").write_text("garbage\n")
    answer = robolearn("evaluate", run, "--protocol", own / "short.yaml")
    assert answer.code == 0
    assert "not kept" not in answer.err
    assert (run / "evaluation.json").is_file()


def test_a_film_that_wandb_does_not_get_is_named_all_the_same(
    own: Path, robolearn: Callable[..., Result], monkeypatch: pytest.MonkeyPatch
) -> None:
    run = own / "runs/seed-0"
    config = yaml.safe_load((run / "config.yaml").read_text())
    config["tracking"]["wandb"] = "offline"
    (run / "config.yaml").write_text(yaml.safe_dump(config))
    (run / "wandb.json").mkdir()
    for name in ("WANDB_MODE", "WANDB_DISABLED"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr(filming, "film_life", lambda _, out, *__, **___: [out])
    answer = robolearn("record", run, "--out", "f.mp4")
    assert answer.code == 0
    assert answer.out == "f.mp4\n"
    assert answer.err.startswith("not kept in the run: cannot write ")
    monkeypatch.setenv("WANDB_MODE", "disabled")
    assert robolearn("record", run, "--out", "f.mp4").err == ""


@pytest.mark.parametrize("content", ["{", "[]"])
def test_a_run_whose_status_cannot_be_read_is_compared_and_named(own: Path, content: str) -> None:
    run = own / "runs/seed-0"
    (run / "run.json").write_text(content)
    found = compare_agents([str(own / "runs")], str(own / "short.yaml"))
    assert found.unfinished == [f"{run} (unreadable)"]
    assert len(found.leaderboards[0].rows[0].evaluations) == 2


def test_a_report_leaves_out_what_it_cannot_read_and_says_so(
    own: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    damaged = [own / "runs/seed-0/run.json", own / "runs/seed-1/metrics.jsonl"]
    for file in damaged:
        file.write_text("garbage\n")
    page = report([str(own / "runs")], str(own / "short.yaml"), tmp_path / "x.html", films=False)
    assert page.stat().st_size > 1000
    told = capsys.readouterr().err
    assert f"no command and versions of {damaged[0].parent}: cannot read {damaged[0]}" in told
    assert f"no learning curve of {damaged[1].parent}: line 1 of {damaged[1]}" in told


def test_a_curve_is_left_out_for_the_damaged_run_alone(own: Path) -> None:
    (own / "runs/seed-1/metrics.jsonl").write_text("garbage\n")
    told: list[str] = []
    agents = [comparing.load_trained(own / f"runs/seed-{seed}") for seed in (0, 1)]
    curves = [reporting._learning(agent, told.append) for agent in agents]
    assert [curve is None for curve in curves] == [False, True]
    assert len(told) == 1


def test_evaluate_finds_the_runs_that_compare_finds(own: Path, tmp_path: Path) -> None:
    shutil.copytree(own / "runs/seed-0", own / "runs/seed-2")
    (own / "runs/seed-2" / WEIGHTS).unlink()
    arguments = (str(own / "short.yaml"), [], None, 0, None, ["robolearn"])
    assert len(evaluate_agents(str(own / "runs"), *arguments)) == 2
    (tmp_path / "empty").mkdir()
    with pytest.raises(UserError, match="holds none that was trained"):
        evaluate_agents(str(tmp_path / "empty"), *arguments)
