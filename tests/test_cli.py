"""The command line: fast help, one line for every mistake, plain output, nothing half done."""

import json
import os
import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import pytest
import yaml
from tiny_run import write_tiny

from robolearn import cli, load
from robolearn.errors import UserError
from robolearn.listing import list_names
from robolearn.tracking.run import RunFolder

HEAVY = ("mujoco", "numba", "torch", "pydantic", "rich", "scipy", "matplotlib", "wandb")


class Result(NamedTuple):
    code: int
    out: str
    err: str


@pytest.fixture
def robolearn(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Callable[..., Result]:
    """Run the command line in this process, in an empty folder that holds `tiny.yaml`."""
    monkeypatch.chdir(tmp_path)
    write_tiny(tmp_path / "tiny.yaml", learning={"generations": 1, "validate_every": 5})
    monkeypatch.setattr("warnings.showwarning", None)  # main replaces it; put back at the end

    def run(*arguments: object) -> Result:
        monkeypatch.setattr(sys, "argv", ["robolearn", *map(str, arguments)])
        capsys.readouterr()
        with pytest.raises(SystemExit) as end:
            cli.main()
        assert isinstance(end.value.code, int)
        captured = capsys.readouterr()
        return Result(end.value.code, captured.out, captured.err)

    return run


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
    taken = robolearn("train", "tiny.yaml", "--seeds", "1-2")
    assert taken.code == 2
    assert "runs/tiny/seed-2 exists, so none of the 2 runs was begun" in taken.err
    assert not (tmp_path / "runs/tiny/seed-1").exists()
    assert robolearn("train", "tiny.yaml", "--seeds", "1", "--out", "mine").out == "mine/seed-1\n"


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


def test_a_closed_pipe_ends_in_silence() -> None:
    process = start("list")
    assert process.stdout is not None
    assert process.stderr is not None
    process.stdout.close()
    assert process.stderr.read() == ""
    process.stderr.close()
    assert process.wait() != 2


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


# A brain whose rule is to hold a pose; its one gene is the pose.
EXTENSION = """
from dataclasses import dataclass
import numpy as np
from robolearn.agents.protocol import Gene, Genome
from robolearn.agents.registry import register
from robolearn.envs.registry import register_task
from robolearn.envs.walk import Walk
from robolearn import shifts
from robolearn.shifts.motor_gain import MotorGain

@dataclass(frozen=True)
class Hyper:
    stiffness: float = 1.0

class Statue:
    kind = "statue"
    hyperparameters = Hyper
    is_plastic = False
    def __init__(self, observation_size, action_size, input_scale, hyper):
        self.observation_size, self.action_size, self.hyper = observation_size, action_size, hyper
        self.genome = Genome((Gene("pose", (action_size,), initial_std=1.0),))
    def express(self, genomes): return self.genome.split(genomes)
    def new_state(self, n): return None
    def reset(self, parameters, state, ids, rngs): pass
    def act(self, parameters, state, observation, feedback):
        return np.tanh(self.hyper.stiffness * parameters["pose"]) * feedback.alive[:, None]
    def finish(self, state, feedback, ids): pass

register("statue", Statue)

@shifts.register
class Fatigue(MotorGain):
    kind = "fatigue"

@register_task
class Stroll(Walk):
    name = "stroll"
"""


@pytest.fixture
def registries(monkeypatch: pytest.MonkeyPatch) -> None:
    """Forget at the end what an extension has registered."""
    for registry in (
        "robolearn.agents.registry._registered",
        "robolearn.shifts.shift._REGISTRY",
        "robolearn.envs.registry._REGISTERED",
    ):
        module, name = registry.rsplit(".", 1)
        content = dict(getattr(sys.modules[module], name))
        monkeypatch.setattr(registry, content)
    monkeypatch.setattr("robolearn.extensions._loaded", set())


def test_a_brain_of_the_users_own_is_trained_resumed_and_loaded(
    robolearn: Callable[..., Result], registries: None, tmp_path: Path
) -> None:
    (tmp_path / "my rules.py").write_text(EXTENSION)
    begin = ("train", "tiny.yaml", "agent={kind: statue}", "--out", "run")
    assert "unknown agent 'statue'" in robolearn(*begin).err
    own = ("--with", "my rules.py")
    assert "statue" in robolearn("list", "agents", *own).out
    mistaken = robolearn(*begin, "agent.stifness=1", *own)
    assert "did you mean 'agent.stiffness'" in mistaken.err
    assert robolearn(*begin, *own).code == 0
    config = tmp_path / "run/config.yaml"
    assert "stiffness: 1.0" in config.read_text()
    config.write_text(config.read_text().replace("generations: 1", "generations: 3"))
    assert robolearn("train", "--resume", "run", *own).code == 0
    assert len(RunFolder.open(tmp_path / "run").read_metrics()) == 3
    assert load("run").trained.agent.kind == "statue"


def test_a_shift_and_a_task_of_the_users_own_are_names_like_any_other(
    robolearn: Callable[..., Result],
    registries: None,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    package = tmp_path / "package" / "robolearn"
    checkout = Path(__file__).parent.parent
    for kind in ("envs", "agents", "configs"):
        (package / "_data").mkdir(parents=True, exist_ok=True)
        (package / "_data" / kind).symlink_to(checkout / kind)
    (package / "_data" / "envs").unlink()
    quadruped = package / "_data" / "envs" / "quadruped"
    quadruped.mkdir(parents=True)
    (quadruped / "scene.xml").symlink_to(checkout / "envs/quadruped/scene.xml")
    definition = yaml.safe_load((checkout / "envs/quadruped/env.yaml").read_text())
    definition["task"] = "stroll"
    definition["shifts"].append("fatigue")
    (quadruped / "env.yaml").write_text(yaml.safe_dump(definition))
    monkeypatch.setattr("robolearn.definitions._PACKAGE", package)
    (tmp_path / "mine.py").write_text(EXTENSION)
    assert "unknown task 'stroll'" in robolearn("train", "tiny.yaml").err
    overrides = ["env.shifts=[fatigue:all:0.5@0.2s]", "--out", "run"]
    answer = robolearn("train", "tiny.yaml", *overrides, "--with", "mine.py")
    assert answer.code == 0, answer.err


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("x = 1\nraise RuntimeError('no such\\nluck')\n", "line 2: RuntimeError: no such luck"),
        ("def f(:\n", "line 1: SyntaxError"),
        ("import no_such_module\n", "line 1: ModuleNotFoundError: No module named"),
        (
            "from robolearn.agents.registry import register\nregister('mlp', object)\n",
            "line 2: agent kind 'mlp' is taken",
        ),
    ],
)
def test_a_broken_extension_is_told_in_one_line_with_its_line(
    text: str, message: str, robolearn: Callable[..., Result], registries: None, tmp_path: Path
) -> None:
    (tmp_path / "broken.py").write_text(text)
    answer = robolearn("list", "agents", "--with", "broken.py")
    assert answer.code == 2
    assert answer.err.count("\n") == 1
    assert message in answer.err


def test_an_extension_must_be_a_python_file(
    robolearn: Callable[..., Result], registries: None
) -> None:
    answer = robolearn("list", "--with", "tiny.yaml")
    assert (answer.code, answer.err.count("\n")) == (2, 1)
    assert "not a Python file" in answer.err


def test_installed_extensions_are_loaded_and_a_broken_one_is_warned_of(
    robolearn: Callable[..., Result],
    registries: None,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    site = tmp_path / "site"
    info = site / "statues-1.0.dist-info"
    info.mkdir(parents=True)
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: statues\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text(
        "[robolearn.extensions]\ngood = statues\nbad = broken_statues\n"
    )
    (site / "statues.py").write_text(EXTENSION)
    (site / "broken_statues.py").write_text("raise ValueError('cracked')\n")
    monkeypatch.syspath_prepend(str(site))
    monkeypatch.setattr("warnings.filters", [("default", None, Warning, None, 0)])
    answer = robolearn("list", "agents", "--json")
    assert "statue" in {entry["name"] for entry in json.loads(answer.out)["agents"]}
    assert answer.err == (
        "warning: the extension 'bad' of statues is left out: ValueError: cracked\n"
    )
