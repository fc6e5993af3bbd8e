"""The cards, scores and sources under envs/ say what the code does."""

import json
from dataclasses import fields
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from robolearn.definitions import definition_folder, definition_names
from robolearn.envs.card import docstring_sections, main, render_card
from robolearn.envs.reference import measure, scored_definition
from robolearn.envs.vector_env import RobotVectorEnv

each_env = pytest.mark.parametrize("name", definition_names("envs"))


def folder(name: str) -> Path:
    return definition_folder("envs", name)


@each_env
def test_the_card_is_in_step(name: str):
    written = (folder(name) / "card.md").read_text(encoding="utf-8")
    assert written == render_card(name), f"run: python -m robolearn.envs.card {name} --write"


@each_env
def test_the_docstring_of_the_task_explains_all_there_is(name: str):
    task = RobotVectorEnv(name).task
    sections = docstring_sections(type(task))
    assert {"Actions", "Observations", "Rewards", "Starts", "Ends"} <= set(sections)

    def explained(section: str) -> set[str]:
        return {line.partition(":")[0] for line in section.splitlines()}

    assert explained(sections["Rewards"]) == set(task.reward_names)
    # A task may know more kinds of observation than one body of its has.
    assert {part.name for part in task.observation_slices} <= explained(sections["Observations"])
    attributes = docstring_sections(type(task.parameters))["Attributes"]
    assert explained(attributes) == {field.name for field in fields(task.parameters)}


@each_env
def test_the_scores_were_measured_on_this_definition(name: str):
    reference = json.loads((folder(name) / "reference.json").read_text(encoding="utf-8"))
    definition = RobotVectorEnv(name).world.definition
    now = json.loads(json.dumps(scored_definition(definition)))
    assert reference["definition"] == now, f"run: {reference['command']}"
    assert not any(sum(lives["unstable"]) for lives in reference["policies"].values())


def test_scores_do_not_depend_on_the_number_of_lives_and_repeat_the_published_ones():
    published = json.loads((folder("quadruped") / "reference.json").read_text(encoding="utf-8"))
    few, many = (measure("quadruped", lives)["policies"] for lives in (2, 4))
    for policy, lives in few.items():
        for key, values in lives.items():
            assert values == many[policy][key][:2], (policy, key)
        # Another processor may round otherwise, and falls amplify it.
        all_returns = published["policies"][policy]["return"]
        error = np.mean(many[policy]["return"]) - np.mean(all_returns)
        assert abs(error) < 3 * np.std(all_returns)


@each_env
def test_every_figure_has_a_source(name: str):
    sources = RobotVectorEnv(name).world.definition["sources"]
    assert sources
    for entry in sources:
        assert entry["figure"]
        assert entry["source"]
        assert set(entry) <= {"figure", "source", "note"}


def test_the_published_figures_are_those_of_the_scene():
    model = RobotVectorEnv("quadruped").world.model
    assert model.body_subtreemass[0] == pytest.approx(12.743, abs=5e-4)  # kg, Menagerie's sum
    links = {"hip": 0.68, "thigh": 1.009, "shank": 0.195862}  # kg
    for link, mass in links.items():
        assert model.body(f"rear_left_{link}").mass[0] == pytest.approx(mass)
    assert np.linalg.norm(model.body("rear_left_shank").pos) == pytest.approx(0.213)  # m
    limits = model.actuator_forcerange.reshape(4, 3, 2)[..., 1]
    assert (limits == [23.7, 23.7, 35.55]).all()  # N·m
    assert (model.actuator_gainprm[:, 0] == 40).all()
    assert (model.actuator_biasprm[:, 1:3] == [-40, -1]).all()
    assert (model.dof_armature[6:] == 0.01).all()
    assert (model.dof_damping[6:] == 0.3).all()


@each_env
def test_there_is_a_picture(name: str):
    with Image.open(folder(name) / "preview.png") as picture:
        assert picture.size == (640, 480)
        assert np.asarray(picture.convert("L")).std() > 10


def test_an_unknown_env_is_a_mistake_of_the_user(capsys: pytest.CaptureFixture[str]):
    assert main(["quadrupd"]) == 2
    assert "did you mean 'quadruped'" in capsys.readouterr().err
