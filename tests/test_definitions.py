"""The definition layer is found in a checkout and in a wheel, and its files are read strictly."""

import shutil
from pathlib import Path

import pytest

from robolearn import definitions
from robolearn.definitions import (
    data_folder,
    definition_folder,
    definition_names,
    parse_yaml,
    read_yaml,
)
from robolearn.errors import UserError, unknown_name
from robolearn.worlds import load_world

CHECKOUT = Path(__file__).parent.parent


@pytest.fixture
def package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty package folder that the resolver takes for its own."""
    package = tmp_path / "site" / "robolearn"
    package.mkdir(parents=True)
    monkeypatch.setattr(definitions, "_PACKAGE", package)
    return package


def test_in_a_checkout_the_data_lies_beside_the_package():
    assert data_folder("envs") == CHECKOUT / "envs"
    assert {"ant", "quadruped"} <= set(definition_names("envs"))
    assert {"gru", "hebbian", "mlp", "spiking"} <= set(definition_names("agents"))


def test_in_a_wheel_the_data_lies_in_the_package_and_a_foreign_folder_is_not_taken(package: Path):
    shutil.copytree(CHECKOUT / "agents", package / "_data" / "agents")
    (package.parent / "agents" / "foreign").mkdir(parents=True)
    assert data_folder("agents") == package / "_data" / "agents"
    assert "foreign" not in definition_names("agents")


def test_without_its_data_the_package_says_what_is_missing(package: Path):
    with pytest.raises(UserError, match=r"data folder 'envs' is missing \(looked for .*_data"):
        data_folder("envs")


def test_deleting_the_folder_of_an_env_breaks_that_env_and_no_other(package: Path):
    shutil.copytree(CHECKOUT / "envs", package / "_data" / "envs")
    assert load_world("quadruped").legs
    shutil.rmtree(package / "_data" / "envs" / "quadruped")
    with pytest.raises(UserError, match=r"unknown env 'quadruped' \(valid: ant,"):
        load_world("quadruped")
    assert load_world("ant").legs


def test_a_folder_without_its_definition_file_is_no_definition(package: Path):
    (package / "_data" / "envs" / "notes").mkdir(parents=True)
    assert definition_names("envs") == []


@pytest.mark.parametrize("name", ["../agents/mlp", "", ".", "quadruped/../ant"])
def test_a_name_is_no_path(name: str):
    with pytest.raises(UserError, match="unknown env"):
        definition_folder("envs", name)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "is empty"),
        (b"# only a comment\n", "is empty"),
        (b"- a\n- b\n", "expected a mapping of keys to values, got a list"),
        (b"walk", "expected a mapping of keys to values, got a str"),
        (b"a: [1", "not valid YAML at line 1"),
        (b"a: 1\nb: c: d\n", "not valid YAML at line 2"),
        (b"a: 1\nb: 2\na: 3\n", "at line 3 .the key 'a' stands there twice"),
        (b"a: {b: 1, b: 2}\n", "the key 'b' stands there twice"),
        (b"a: !!python/object/apply:os.getcwd []\n", "not valid YAML at line 1"),
        (b"a: 2026-13-45\n", "not valid YAML"),
        (b"\xff\xfe\x00", "not a text file in UTF-8"),
        (b"\x80\x04K\x01.", "not a text file in UTF-8"),
    ],
)
def test_a_broken_file_is_told_in_one_line_that_names_it(
    content: bytes, message: str, tmp_path: Path
):
    path = tmp_path / "env.yaml"
    path.write_bytes(content)
    with pytest.raises(UserError, match=message) as caught:
        read_yaml(path)
    assert str(caught.value).startswith(f"{path}: ")
    assert "\n" not in str(caught.value)


def test_a_missing_file_and_a_folder_are_named(tmp_path: Path):
    with pytest.raises(UserError, match=r"none\.yaml: no such file"):
        read_yaml(tmp_path / "none.yaml")
    with pytest.raises(UserError, match="cannot be read"):
        read_yaml(tmp_path)


@pytest.mark.parametrize("text", ["1e-3", "0.001", "1E-3", "+.1e-2", "1.e-3"])
def test_every_way_to_write_a_number_gives_that_number(text: str):
    assert parse_yaml(text, "value") == 1e-3


@pytest.mark.parametrize("text", ["1e", "e3", "limb_damage:front_left:dead@5s", "1-3"])
def test_what_is_no_number_stays_a_text(text: str):
    assert parse_yaml(text, "value") == text


def test_a_key_from_a_merge_may_be_replaced():
    assert parse_yaml("{base: &b {x: 1}, new: {<<: *b, x: 2}}", "value")["new"] == {"x": 2}


def test_the_nearest_name_is_offered_and_all_are_listed():
    message = str(unknown_name("leg", "front_lft", ["rear_left", "front_left"]))
    assert message == (
        "unknown leg 'front_lft'; did you mean 'front_left'? (valid: front_left, rear_left)"
    )
    assert str(unknown_name("leg", "xyz", [])) == "unknown leg 'xyz' (valid: none)"


def test_a_prefix_does_not_make_strange_names_near():
    message = str(unknown_name("key", "zzz", ["sigma"], prefix="learning."))
    assert message == "unknown key 'learning.zzz' (valid: sigma)"
