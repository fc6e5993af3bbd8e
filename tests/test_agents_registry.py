"""Kinds of agents come from folders and from users, and mistakes are named."""

import dataclasses
import re
import shutil
import subprocess
import sys

import numpy as np
import pytest

from robolearn import definitions
from robolearn.agents import registry
from robolearn.agents.mlp import MLP
from robolearn.agents.registry import defaults, hyperparameters, kinds, make_agent, register
from robolearn.agents.spiking import SpikingHyperparameters
from robolearn.errors import UserError

KINDS = [
    "adaptive_policy", "mlp", "gru", "hebbian", "neuromodulated", "policy", "r_stdp",
    "recurrent_policy", "spiking",
]  # fmt: skip


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """Return a copy of `agents/` that stands in for it."""
    copy = tmp_path / "agents"
    shutil.copytree(definitions.data_folder("agents"), copy)
    monkeypatch.setattr(definitions, "data_folder", lambda kind: tmp_path / kind)
    return copy


@pytest.fixture(autouse=True)
def _forget_registered(monkeypatch):
    monkeypatch.setattr(registry, "_registered", {})


@pytest.mark.parametrize("kind", KINDS)
def test_kind_is_built_with_the_defaults_of_its_file(kind):
    agent = make_agent(kind, 5, 2)
    in_file = definitions.read_yaml(definitions.definition_folder("agents", kind) / "agent.yaml")
    given = {k: tuple(v) if isinstance(v, list) else v for k, v in in_file["parameters"].items()}
    assert agent.kind == kind
    assert (agent.observation_size, agent.action_size) == (5, 2)
    assert given.items() <= defaults(kind).items()


@pytest.mark.parametrize("kind", KINDS)
def test_file_and_card_name_every_hyperparameter_there_is(kind):
    where = definitions.definition_folder("agents", kind)
    fields = {field.name for field in dataclasses.fields(hyperparameters(kind))}
    card = (where / "card.md").read_text(encoding="utf-8")
    assert set(re.findall(r"^\| `(\w+)` \|", card, re.MULTILINE)) == fields
    assert set(definitions.read_yaml(where / "agent.yaml")["parameters"]) == fields


def test_without_its_folder_a_kind_is_unknown(folder):
    make_agent("mlp", 5, 2)
    shutil.rmtree(folder / "mlp")
    with pytest.raises(UserError, match=rf"unknown agent 'mlp' \(valid: {', '.join(kinds())}\)"):
        make_agent("mlp", 5, 2)


def test_a_new_kind_of_an_old_family_needs_no_python(folder):
    (folder / "timing").mkdir()
    (folder / "timing" / "agent.yaml").write_text(
        "kind: timing\nfamily: spiking\nparameters: {rule: stdp, hidden: 10}\n"
    )
    agent = make_agent("timing", 5, 2)
    assert agent.kind == "timing"
    assert defaults("timing")["rule"] == "stdp"
    assert "hidden.A_plus" in {gene.name for gene in agent.genome.genes}


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("kind: other\nfamily: mlp\n", "expected the folder's 'broken'"),
        ("kind: broken\n", "'family' is missing"),
        ("kind: broken\nfamily: mpl\n", "did you mean 'mlp'"),
        ("kind: broken\nfamily: mlp\nparamters: {}\n", "did you mean 'parameters'"),
        ("kind: broken\nfamily: mlp\nparameters: [1]\n", "expected a mapping"),
        ("kind: broken\nfamily: mlp\nparameters: {hiden: [3]}\n", "did you mean 'hidden'"),
    ],
)
def test_broken_definitions_are_explained(folder, text, message):
    (folder / "broken").mkdir()
    (folder / "broken" / "agent.yaml").write_text(text)
    with pytest.raises(UserError, match=message):
        make_agent("broken", 5, 2)


def test_unknown_kind_is_answered_with_the_nearest():
    with pytest.raises(UserError, match="unknown agent 'spikin'; did you mean 'spiking'"):
        make_agent("spikin", 5, 2)


@pytest.mark.parametrize(
    ("hyper", "message"),
    [
        ({"spike_step": 3}, "unknown parameter of agent 'spiking' 'spike_step'; did you mean "
                            "'spike_steps'"),
        ({"granularity": "neurone"}, "granularity of agent 'spiking' 'neurone'; did you mean "
                                     "'neuron'.*layer, low_rank, neuron, synapse"),
        ({"spike_steps": 0}, "spike_steps = 0: .*greater than or equal to 1"),
        ({"spike_steps": "four"}, "spike_steps = 'four': .*integer"),
        ({"spike_steps": True}, "spike_steps = True: .*integer"),
        ({"membrane_tau_s": float("nan")}, "membrane_tau_s = nan"),
        ({"homeostasis": "yes"}, "homeostasis = 'yes': .*boolean"),
    ],
)  # fmt: skip
def test_wrong_hyperparameters_are_named(hyper, message):
    with pytest.raises(UserError, match=message):
        make_agent("spiking", 5, 2, **hyper)


def test_wrong_element_of_a_list_is_pointed_at():
    with pytest.raises(UserError, match=r"hidden\[1\] = 0"):
        make_agent("mlp", 5, 2, hidden=[8, 0])


@pytest.mark.parametrize(
    ("scale", "message"), [(np.ones(4), r"shape \(5,\)"), ([1, 1, 0, 1, 1], r"input_scale\[2\]")]
)
def test_wrong_input_scale_is_named(scale, message):
    with pytest.raises(UserError, match=message):
        make_agent("mlp", 5, 2, scale)


def test_sizes_must_be_positive():
    with pytest.raises(UserError, match="action_size = 0"):
        make_agent("mlp", 5, 0)


def test_hyperparameters_returns_the_dataclass():
    assert hyperparameters("spiking") is SpikingHyperparameters


def test_users_register_kinds_of_their_own():
    register("mine", MLP)
    register("mine", MLP)
    agent = make_agent("mine", 5, 2, hidden=[3])
    assert agent.kind == "mine"
    assert "mine" in kinds()
    with pytest.raises(UserError, match="did you mean 'hidden'"):
        make_agent("mine", 5, 2, hiden=[3])


def test_a_name_cannot_be_taken_twice():
    with pytest.raises(UserError, match="'mlp' is taken"):
        register("mlp", MLP)


def test_a_factory_needs_hyperparameters():
    with pytest.raises(UserError, match=r"factory\.hyperparameters must be a dataclass"):
        register("mine", object())  # pyright: ignore[reportArgumentType]


def test_names_are_listed_without_importing_numba():
    code = (
        "import sys; from robolearn.agents.registry import kinds; kinds();"
        "sys.exit('numba' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
