"""An env.yaml of one's own: a mistake in it is one line, and spoils no other environment."""

import shutil
import warnings
from collections.abc import Callable, Iterator
from pathlib import Path

import gymnasium
import pytest
from command_line import Result

from robolearn.config import load_config
from robolearn.definitions import data_folder
from robolearn.envs.card import render_card
from robolearn.envs.registration import register_envs
from robolearn.envs.vector_env import RobotVectorEnv, env_ids
from robolearn.errors import UserError
from robolearn.listing import list_names
from robolearn.shifts import Shift, register
from robolearn.shifts import shift as shift_module

CHECKOUT = Path(__file__).parent.parent
OURS = {"robolearn/Quadruped-v0": "quadruped", "robolearn/Hexapod-v0": "hexapod"}
Define = Callable[..., Path]


@pytest.fixture
def define(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Define]:
    """Return a function that copies an env, as robolearn/Mine-v0 in envs/mine, with a text changed.

    Beside it there are quadruped and hexapod alone.
    """
    data = tmp_path / "package" / "_data"
    (data / "envs").mkdir(parents=True)
    for name in ("agents", "configs", "envs/quadruped", "envs/hexapod"):
        (data / name).symlink_to(CHECKOUT / name)
    monkeypatch.setattr("robolearn.definitions._PACKAGE", data.parent)

    def copy(old: str = "", new: str = "", *, of: str = "quadruped") -> Path:
        folder = data / "envs" / "mine"
        shutil.copytree(data_folder("envs") / of, folder)
        text = (folder / "env.yaml").read_text(encoding="utf-8")
        assert old in text
        own_id = f"robolearn/{of.capitalize()}-v0"
        text = text.replace(own_id, "robolearn/Mine-v0", 1).replace(old, new, 1)
        (folder / "env.yaml").write_text(text, encoding="utf-8")
        return folder / "env.yaml"

    yield copy
    gymnasium.registry.pop("robolearn/Mine-v0", None)


def mistake_in(source: str = "quickstart", env_id: str = "robolearn/Mine-v0") -> str:
    """Return what a recipe in that env is refused with."""
    with pytest.raises(UserError) as error:
        load_config(source, [f"env.id={env_id}"])
    assert "\n" not in str(error.value)
    return str(error.value)


@pytest.mark.parametrize(
    "text",
    [": : :", "task: walk", "- a", "id: [x]\nmax_episode_steps: 5", "id: a\nmax_episode_steps: 5"],
)
def test_an_unreadable_env_spoils_no_other(
    define: Define, robolearn: Callable[..., Result], text: str
):
    define().write_text(text, encoding="utf-8")
    assert env_ids() == OURS
    assert [entry["name"] for entry in list_names("envs")["envs"]] == sorted(OURS)
    assert load_config("quickstart").env.id == "robolearn/Quadruped-v0"
    assert "robolearn/Hexapod-v0" in robolearn("list", "envs").out
    with warnings.catch_warnings(record=True) as told:
        warnings.simplefilter("always")
        register_envs()
    assert [str(w.message).partition(":")[0] for w in told] == ["env 'mine' is not registered"]
    assert "\n" not in str(told[0].message)


# what is changed in the quadruped's env.yaml -> what the message says
MISTAKES = {
    ("max_episode_steps: 500", "max_episode_steps: -5"): (
        "key 'max_episode_steps' must be a whole number of at least 1, got -5"
    ),
    ("max_episode_steps: 500", "max_episode_steps: long"): "at least 1, got 'long'",
    ("max_episode_steps: 500", ""): "lacks the key 'max_episode_steps'",
    ("max_episode_steps:", "max_episode_stes:"): "did you mean 'max_episode_steps'",
    ("about:", "abut:"): "unknown key 'abut'; did you mean 'about'",
    ("shifts:\n  [limb_damage", "shifts:\n  [limb_damge"): (
        "shifts[0]: unknown shift 'limb_damge'; did you mean 'limb_damage'"
    ),
    ("payload, push", "payload, 3"): "shifts[4]: unknown shift 3 ",
    ("history:\n", "scripted: [tripd]\nhistory:\n"): (
        "scripted[0]: unknown scripted controller 'tripd'; did you mean 'tripod_gait'"
    ),
    ("history:\n", "scripted: tripod_gait\nhistory:\n"): "'scripted' must be a list, got 'tripod",
    ("history:\n", "preview_camera: trak\nhistory:\n"): (
        "unknown preview_camera of mine 'trak'; did you mean 'track'"
    ),
    ("source: ours;", "surce: ours;"): "did you mean 'sources[11].source'",
    ("task: walk", "task: wlk"): "unknown task 'wlk'; did you mean 'walk'",
    ("  target_speed", "  target_sped"): "did you mean 'parameters.target_speed'",
    ("  speed: 1.0", "  sped: 1.0"): "unknown reward term 'sped'; did you mean 'speed'",
    ("  speed: 1.0", "  speed: fast"): "reward speed must be a number",
    ("substeps: 4", "substeps: 0"): "world.substeps' must be a whole number of at least 1, got 0",
    ("substeps: 4", "substep: 4"): "unknown key 'world.substep'; did you mean 'world.substeps'",
    ("  legs:", "  variants: {fast: 3}\n  legs:"): "'world.variants.fast' must be a mapping, got 3",
    ("lower_link", "lower_lnk"): (
        "unknown key 'world.legs.front_left.lower_lnk'; did you mean 'world.legs.front_left.lower"
    ),
}


@pytest.mark.parametrize("change", MISTAKES)
def test_a_mistake_is_one_line_that_names_file_and_key(define: Define, change: tuple[str, str]):
    path = define(*change)
    message = mistake_in()
    assert MISTAKES[change] in message
    assert f"envs/mine/{path.name}: " in message
    assert "env.variant" not in message
    with pytest.raises(UserError, match=r"envs/mine/env\.yaml: "):
        RobotVectorEnv("mine")  # as its card and its scores build it


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (("timestep_s", "timestp_s"), "did you mean 'world.scene.timestep_s'"),
        (("builder: legged", "builder: leged"), "unknown builder 'leged'; did you mean 'legged'"),
        (("legs: 6", "legs: six"), "world.scene.legs = 'six'"),
        (("legs: 6", "lgs: 6"), "did you mean 'world.scene.legs'"),
    ],
)
def test_a_broken_figure_is_told_by_its_own_key_and_is_listed_all_the_same(
    define: Define, change: tuple[str, str], message: str
):
    define(*change, of="hexapod")
    register_envs()
    told = mistake_in()
    assert message in told
    assert told.startswith(f"quickstart: {data_folder('envs') / 'mine' / 'env.yaml'}: ")
    assert {entry["name"] for entry in list_names("envs")["envs"]} == {*OURS, "robolearn/Mine-v0"}


def test_two_envs_of_one_id_are_told_apart(define: Define):
    path = define()
    path.write_text(path.read_text().replace("robolearn/Mine-v0", "robolearn/Quadruped-v0"))
    with pytest.warns(UserWarning, match="'quadruped' is not registered: .*envs/mine has the id"):
        register_envs()


def test_a_shift_of_ones_own_may_be_named_once_it_is_registered(
    define: Define, monkeypatch: pytest.MonkeyPatch
):
    define("[limb_damage", "[fatigue, limb_damage")
    register_envs()
    assert "unknown shift 'fatigue'" in mistake_in()
    monkeypatch.setattr(shift_module, "_REGISTRY", dict(shift_module._REGISTRY))

    class Fatigue(Shift):
        """Tired motors."""

        kind = "fatigue"

    register(Fatigue)
    assert load_config("quickstart", ["env.id=robolearn/Mine-v0"]).env.id == "robolearn/Mine-v0"


def test_a_copy_with_an_id_of_its_own_is_an_env_like_any_other(define: Define):
    define(of="hexapod")
    register_envs()
    assert gymnasium.spec("robolearn/Mine-v0").max_episode_steps == 500
    assert load_config("quickstart", ["env.id=robolearn/Mine-v0"])
    card = render_card("mine")
    assert card.startswith("# robolearn/Mine-v0\n")
