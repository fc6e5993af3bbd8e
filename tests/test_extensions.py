"""Files of the user's own and installed ones: their brains, shifts and tasks are names like any."""

import json
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
import yaml
from command_line import Result

from robolearn import load
from robolearn.tracking.run import RunFolder

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


def test_a_shift_of_the_users_own_applies_to_every_body_that_its_check_accepts(
    robolearn: Callable[..., Result], registries: None, tmp_path: Path
) -> None:
    (tmp_path / "mine.py").write_text(EXTENSION)
    begin = ("train", "tiny.yaml", "env.shifts=[fatigue:all:0.5@0.2s]", "--out", "run")
    answer = robolearn(*begin, "--with", "mine.py")
    assert answer.code == 0, answer.err
    wrong = ("train", "tiny.yaml", "env.shifts=[fatigue:tail:0.5]", "--out", "other")
    assert "tail" in robolearn(*wrong, "--with", "mine.py").err


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
        (
            "from robolearn.shifts.motor_gain import MotorGain\nfrom robolearn import shifts\n"
            "@shifts.register\nclass Mine(MotorGain):\n    kind = 'gravity'\n",
            "shift 'gravity' is taken",
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
