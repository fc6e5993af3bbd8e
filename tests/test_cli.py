"""The command line: fast help, one line for every mistake, plain output, nothing half done."""

import json
import os
import re
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
import yaml
from command_line import Result
from tiny_run import write_tiny

from robolearn import cli
from robolearn.errors import UserError
from robolearn.listing import list_names
from robolearn.tracking.run import RunFolder

HEAVY = ("mujoco", "numba", "torch", "pydantic", "rich", "scipy", "matplotlib", "wandb")


def start(*arguments: str, **options: object) -> "subprocess.Popen[str]":
    command = [sys.executable, "-c", "from robolearn.cli import main; main()", *arguments]
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True}
    return subprocess.Popen(command, **{**pipes, **options})  # type: ignore[call-overload]


@pytest.mark.parametrize("arguments", [["--help"], [], ["train", "-h"], ["evaluate", "--help"]])
def test_help_loads_nothing_heavy(arguments: list[str]) -> None:
    # Some versions of typer take pydantic to describe the options of a verb.
    heavy = [name for name in HEAVY if name != "pydantic" or len(arguments) < 2]
    code = (
        "import sys\nfrom robolearn.cli import main\n"
        "try: main()\n"
        f"finally: print(*[m for m in {heavy} if m in sys.modules], file=sys.stderr)"
    )
    answer = subprocess.run(
        [sys.executable, "-c", code, *arguments], capture_output=True, text=True, check=True
    )
    assert answer.stderr.strip() == ""
    assert answer.stdout.startswith("Usage: robolearn")


def test_the_help_fits_eighty_columns_and_cuts_no_sentence(robolearn: Callable[..., Result]):
    answer = robolearn("--help")
    assert answer.code == 0
    assert "..." not in answer.out.split("Commands:")[1]
    assert max(map(len, answer.out.splitlines())) <= 80


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["trian"], "No such command 'trian'"),
        (["train", "--ouut", "x"], "No such option: --ouut"),
        (["train"], "train needs a CONFIG"),
        (["train", "quickstrat"], "did you mean 'quickstart'"),
        (["train", "tiny.yaml", "seed=x"], "seed = 'x'"),
        (["train", "tiny.yaml", "--seed", "x"], "'--seed'"),
        (["train", "tiny.yaml", "--seed", "-1"], "seed = -1"),
        (["train", "tiny.yaml", "--seeds", "4-0"], "--seeds '4-0' cannot be read"),
        (["train", "tiny.yaml", "--seeds", "0-1", "--seed", "2"], "exclude each other"),
        (["train", "tiny.yaml", "--with", "no.py"], "no.py: no such file"),
        (["train", "tiny.yaml", "--out", "tiny.yaml"], "tiny.yaml is a file"),
        (["train", "tiny.yaml", "--out", "tiny.yaml/run"], "cannot make folder tiny.yaml/run"),
        (["train", "--resume", "none"], "no run folder at none"),
        (["train", "--resume", "."], "is no run folder"),
        (["train", "tiny.yaml", "--resume", "none"], "--resume takes the run folder alone"),
        (["list", "evns"], "did you mean 'envs'"),
        (["evaluate"], "Missing argument"),
        (["evaluate", "none"], "unknown run folder or zoo agent 'none'"),
        (["evaluate", "none", "--json", "gone/x.json"], "--json gone/x.json: there is no folder"),
        (["compare", "none", "--json", "gone/x.json"], "--json gone/x.json: there is no folder"),
        (["compare", "none", "--csv", "gone/x.csv"], "--csv gone/x.csv: there is no folder"),
        (["compare", "--protocol", "damge"], "did you mean 'damage'"),
        (["report", "--protocol", "damge"], "did you mean 'damage'"),
        (["import", "a", "--as", "ppo", "--env", "x", "--with", "no.py"], "no.py: no such file"),
        (["record", "none"], "unknown run folder or zoo agent 'none'"),
        (["record", "."], "unknown run folder or zoo agent '.'"),
    ],
)
def test_a_mistake_ends_in_one_line_exit_code_2_and_nothing_on_the_disk(
    arguments: list[str], message: str, robolearn: Callable[..., Result], tmp_path: Path
) -> None:
    answer = robolearn(*arguments)
    assert answer.code == 2
    assert answer.out == ""
    assert answer.err.startswith("error: ")
    assert answer.err.count("\n") == 1
    assert message in answer.err
    assert [path.name for path in tmp_path.iterdir()] == ["tiny.yaml"]


def test_list_gives_json_of_everything_there_is(robolearn: Callable[..., Result]) -> None:
    answer = robolearn("list", "--json")
    names = json.loads(answer.out)
    assert answer.code == 0
    assert list(names) == ["envs", "agents", "learners", "shifts", "configs", "protocols", "zoo"]
    assert {"robolearn/Quadruped-v0", "robolearn/Ant-v0"} <= {e["name"] for e in names["envs"]}
    assert "front_left" in names["envs"][0]["legs"]
    assert {"gru", "hebbian", "mlp", "spiking"} <= {e["name"] for e in names["agents"]}
    assert {"openai_es", "pgpe"} <= {e["name"] for e in names["learners"]}
    assert "quickstart" in {e["name"] for e in names["configs"]}
    assert "adaptation" in {e["name"] for e in names["protocols"]}
    damage = next(e for e in names["shifts"] if e["name"] == "limb_damage")
    assert damage["written"] == "limb_damage:<leg>:<mode>:<fraction>"
    assert "locked" in damage["parameters"]["mode"]["meaning"]
    assert json.loads(robolearn("list", "shifts", "--json").out) == {"shifts": names["shifts"]}


def test_list_fits_eighty_columns_and_breaks_no_name(robolearn: Callable[..., Result]) -> None:
    for what in ("all", "shifts", "learners"):
        answer = robolearn("list", what)
        assert answer.code == 0
        assert max(map(len, answer.out.splitlines())) <= 80
    told = robolearn("list").out
    assert "middle_left" in robolearn("list", "envs").out
    for entries in list_names("all").values():
        for entry in entries:
            assert f"{entry['name']} " in told
            for shift in entry.get("shifts", ()):
                assert re.search(rf"\b{re.escape(shift.split(':')[0])}\b", told)
    assert not re.search("sensor_dropou$", told, re.MULTILINE)


@pytest.mark.parametrize("arguments", [["list"], ["--help"], ["nonsense"]])
def test_output_into_a_pipe_is_plain_whatever_the_environment_wishes(
    arguments: list[str],
) -> None:
    wishes = {"FORCE_COLOR": "1", "PY_COLORS": "1", "GITHUB_ACTIONS": "1", "TERM": "xterm"}
    out, err = start(*arguments, env={**os.environ, **wishes}).communicate()
    assert not {c for c in out + err if ord(c) < 32} - {"\n"}


def test_training_prints_its_folder_and_plain_progress(
    robolearn: Callable[..., Result], tmp_path: Path
) -> None:
    answer = robolearn("train", "tiny.yaml", "--seed", "3")
    assert (answer.code, answer.out) == (0, "runs/tiny/seed-3\n")
    assert answer.err.startswith("generation 1/1 | fitness ")
    run = RunFolder.open(tmp_path / "runs/tiny/seed-3")
    assert run.info["command"] == "robolearn train tiny.yaml --seed 3"
    assert run.config["seed"] == 3
    again = robolearn("train", "tiny.yaml", "--seed", "3")
    assert again.code == 2
    assert "already holds a run: continue it with --resume runs/tiny/seed-3" in again.err
    finished = robolearn("train", "--resume", "runs/tiny/seed-3")
    assert (finished.code, finished.out) == (0, "")
    assert finished.err == "runs/tiny/seed-3 is finished: there is nothing to resume\n"


def test_several_seeds_give_several_runs_of_which_none_begins_if_one_cannot(
    robolearn: Callable[..., Result], tmp_path: Path
) -> None:
    answer = robolearn("train", "tiny.yaml", "--seeds", "0,2")
    assert answer.out == "runs/tiny/seed-0\nruns/tiny/seed-2\n"
    assert RunFolder.open(tmp_path / "runs/tiny/seed-2").config["seed"] == 2
    taken = robolearn("train", "tiny.yaml", "agent.hidden=5", "--seeds", "1-2")
    assert taken.code == 2
    assert "runs/tiny/seed-2 is of another config, so none of the runs was begun" in taken.err
    assert not (tmp_path / "runs/tiny/seed-1").exists()
    assert robolearn("train", "tiny.yaml", "--seeds", "1", "--out", "mine").out == "mine/seed-1\n"


def test_the_same_command_goes_on_with_the_seeds_that_are_left(
    robolearn: Callable[..., Result], tmp_path: Path
) -> None:
    robolearn("train", "tiny.yaml", "--seed", "0")
    (tmp_path / "runs/tiny/seed-0/weights.safetensors").unlink()  # as if killed at its end
    robolearn("train", "tiny.yaml", "--seed", "1")
    answer = robolearn("train", "tiny.yaml", "--seeds", "0-2")
    assert (answer.code, answer.out) == (0, "runs/tiny/seed-0\nruns/tiny/seed-2\n")
    assert "runs/tiny/seed-1 is finished: there is nothing to resume" in answer.err


@pytest.mark.parametrize(
    ("begun", "message"),
    [
        (True, "interrupted; go on with: robolearn train --resume 'my run' --with own.py\n"),
        (False, "interrupted before the training began\n"),
    ],
)
def test_ctrl_c_names_the_way_on_if_there_is_one(
    begun: bool,
    message: str,
    robolearn: Callable[..., Result],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def train(config: object, out: Path, command: list[str]) -> None:
        if begun:
            out.mkdir()
            (out / "run.json").touch()
        raise KeyboardInterrupt

    monkeypatch.setattr("robolearn.training.train", train)
    (tmp_path / "own.py").touch()
    answer = robolearn("train", "tiny.yaml", "--out", "my run", "--with", "own.py")
    assert answer == (130, "", message)


@pytest.mark.parametrize(
    ("text", "seeds"), [("0-4", [0, 1, 2, 3, 4]), ("7", [7]), ("0,3,5-6", [0, 3, 5, 6])]
)
def test_seeds_are_spans_and_lists(text: str, seeds: list[int]) -> None:
    assert cli.parse_seeds(text) == seeds


@pytest.mark.parametrize("text", ["", "4-0", "a", "1-", "-1", "0,,1", "0-2,1", "1-2-3"])
def test_seeds_that_cannot_be_read_are_refused(text: str) -> None:
    with pytest.raises(UserError, match="cannot be read"):
        cli.parse_seeds(text)


def test_a_run_is_evaluated_and_recorded_from_any_folder(
    robolearn: Callable[..., Result], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert robolearn("train", "tiny.yaml", "--out", "run").code == 0
    protocol = {"life_s": 0.4, "episodes": 1, "conditions": ["motor_gain:all:0.5"]}
    (tmp_path / "short.yaml").write_text(yaml.safe_dump(protocol))
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    monkeypatch.chdir(elsewhere)
    answer = robolearn(
        "evaluate", "../run", "--protocol", "../short.yaml", "--json", "../run/evaluation.json"
    )
    assert answer.code == 0, answer.err
    assert json.loads((tmp_path / "run/evaluation.json").read_text())["conditions"]
    shift = "limb_damage:front_left:dead@0.1s"
    answer = robolearn(
        "record", "../run", "--shift", shift, "--seconds", "0.2", "--out", "film.html"
    )
    assert answer.code == 0, answer.err
    assert answer.out == "film.npz\nfilm.html\n"
    assert (elsewhere / "film.html").stat().st_size > 1000
    late = robolearn("record", "../run", "--shift", shift, "--seconds", "0.1")
    assert late.code == 2
    assert "past the end of life" in late.err
    assert robolearn("record", "../run", "--seconds", "-1").code == 2
    monkeypatch.setattr("robolearn.filming.film_life", lambda _, out, *__, **___: [out])
    monkeypatch.setattr("robolearn.mirroring.keep_films", lambda *_: None)
    assert robolearn("record", "../run").out == "tiny-seed-0-film\n"


def test_a_closed_pipe_ends_in_silence() -> None:
    process = start("list")
    assert process.stdout is not None
    assert process.stderr is not None
    process.stdout.close()
    assert process.stderr.read() == ""
    process.stderr.close()
    assert process.wait() == 128 + signal.SIGPIPE


def test_a_closed_stdout_stops_no_training(tmp_path: Path) -> None:
    recipe = write_tiny(tmp_path / "tiny.yaml", learning={"generations": 1})
    arguments = ["train", str(recipe), "--seeds", "0-1", "--out", str(tmp_path / "runs")]
    process = start(*arguments)
    assert process.stdout is not None
    process.stdout.close()
    assert process.stderr is not None
    errors = process.stderr.read()
    process.stderr.close()
    assert process.wait() == 0, errors
    assert RunFolder.open(tmp_path / "runs/seed-1").status == "finished"


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="this system has no /dev/full")
def test_a_full_disk_is_told_in_one_line() -> None:
    with open("/dev/full", "w") as full:
        process = start("list", "--json", stdout=full)
        _, errors = process.communicate()
    assert process.returncode == 2
    assert errors == "error: No space left on device\n"
