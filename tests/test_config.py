"""A config is checked whole before anything starts; every mistake is one line with its key."""

from pathlib import Path
from typing import Any

import pytest
import yaml
from tiny_run import tiny_config, tiny_mapping, write_tiny

from robolearn.config import load_config, parse_config
from robolearn.definitions import data_folder
from robolearn.errors import UserError
from robolearn.zoo import build_agent, make_env


@pytest.fixture
def recipe(tmp_path: Path) -> Path:
    return write_tiny(tmp_path / "tiny.yaml")


# override -> what the message says, beside the name of the file
MISTAKES = {
    # unknown keys
    "nam=x": "unknown key 'nam'; did you mean 'name'",
    "env.shifs=[]": "unknown key 'env.shifs'; did you mean 'env.shifts'",
    "learning.populaton=8": "unknown key 'learning.populaton'; did you mean 'learning.population'",
    "learning.generatons=8": "did you mean 'learning.generations'",
    "agent.hiden=8": "unknown key 'agent.hiden'; did you mean 'agent.hidden'",
    "tracking.film=3": "unknown key 'tracking.film'; did you mean 'tracking.film_every'",
    "env.parameters.target_sped=1": (
        "'env.parameters.target_sped'; did you mean 'env.parameters.target_speed'"
    ),
    "env.rewards.survve=0": "env.rewards: unknown reward term of quadruped 'survve'",
    # unknown names
    "env.id=robolearn/Quadruped": "env.id: unknown env .*did you mean 'robolearn/Quadruped-v0'",
    "env.id=Ant-v5": "env.id: unknown env 'Ant-v5'; did you mean 'robolearn/Ant-v0'",
    "env.variant=fast": "env.variant: unknown variant of quadruped 'fast'",
    "agent.kind=spikin": "agent.kind: unknown agent 'spikin'; did you mean 'spiking'",
    "agent.rule=abdc": "unknown agent.rule 'abdc'; did you mean 'abcd'",
    "learning.kind=openai": "unknown learning.kind 'openai'; did you mean 'openai_es'",
    "learning.optimizer=adma": "unknown learning.optimizer 'adma'; did you mean 'adam'",
    "tracking.wandb=ofline": "tracking.wandb = 'ofline': .*'off'; did you mean 'offline'",
    # shifts
    "env.shifts=[motor_gian:all:0.5]": r"env.shifts\[0\]: unknown shift.*did you mean 'motor_gain'",
    "env.shifts=[motor_gain, limb_damage:front_lft:dead]": (
        r"env.shifts\[1\]: unknown leg or joint of quadruped 'front_lft'; did you mean 'front_left'"
    ),
    "env.shifts=[limb_damage:front_left:daed]": "mode 'daed'; did you mean 'dead'",
    "env.shifts=[{kind: limb_damage, lag: x}]": "'lag'; did you mean 'leg'",
    "env.shifts=[{leg: front_left}]": r"env.shifts\[0\]: the key 'kind' is missing .*limb_damage",
    "env.shifts={1: 2}": r"the key 'kind' is missing in the shift \{1: 2\}",
    "env.shifts=[limb_damage:front_left:dead@5s]": r"onset.* is past the end of life \(0.4 s\)",
    "env.shifts=[motor_gain:all:-1]": "gain must be a number at least 0, got -1",
    "env.shifts=[{kind: motor_gain, gain: {uniform: [2, 1]}}]": "low 2 is above high 1",
    "env.shifts=[3]": r"env.shifts\[0\]: a shift must be a text or a mapping, got 3",
    "env.shifts=3": "env.shifts = 3: the value should be a list",
    # stages
    "env.shifts={kind: friction, onset_s: '0'}": "onset_s must be a number .*, got '0'",
    "env.shifts={kind: friction, iterations: 3}": r"friction: iterations = 3: expected \[fr",
    "env.shifts={kind: friction, iterations: [3, 3]}": r"iterations = \[3, 3\]: .*rising",
    "env.shifts={kind: friction, iterations: [-1, null]}": r"iterations = \[-1, None\]: ",
    # wrong types
    "seed=abc": "seed = 'abc': the value should be an integer",
    "seed=": "seed = None: the value should be an integer",
    "seed=true": "seed = True: the value should be an integer",
    "seed='3'": "seed = '3': the value should be an integer",
    "name=3": "name = 3: the value should be a text",
    "learning.generations=2.5": "learning.generations = 2.5: the value should be an integer",
    "learning.generations=true": "learning.generations = True: the value should be an integer",
    "learning.population=8.0": "learning.population = 8.0: the value should be an integer",
    "learning.sigma=big": "learning.sigma = 'big': the value should be a number",
    "agent.hidden=[4]": r"agent.hidden = \[4\]: the value should be an integer",
    "agent.homeostasis=1": "agent.homeostasis = 1: the value should be a boolean",
    "env.life_s=long": "env.life_s = 'long': the value should be a number",
    "env.parameters.target_speed=fast": "env.parameters.target_speed = 'fast'",
    "env.rewards=3": "env.rewards = 3: the value should be a mapping",
    "env.rewards={upright: much}": "env.rewards: reward upright must be a number .*, got 'much'",
    "env.parameters=3": "env.parameters = 3: the value should be a mapping",
    "tracking.wandb=on": "tracking.wandb = True: the value should be 'auto'",
    "env=": "env = None: the value should be a section",
    "learning=3": "learning = 3: the value should be a section",
    "env={}": "the key 'env.id' is missing",
    "agent={hidden: 3}": "the key 'agent.kind' is missing",
    "tracking={1: 2}": "tracking.1: a key should be a text",
    # out of range
    "seed=-1": "seed = -1: the value should be greater than or equal to 0",
    "seed=4294967296": "seed = 4294967296: the value should be less than 4294967296",
    "name=a/b": "name = 'a/b': expected letters, digits",
    "name=..": "name = '..': expected letters, digits",
    "env.life_s=0": "env.life_s = 0: the value should be greater than or equal to 0.1",
    "env.life_s=0.001": "env.life_s = 0.001: the value should be greater than or equal to 0.1",
    "env.life_s=.inf": "env.life_s = inf: the value should be a finite number",
    "env.life_s=.nan": "env.life_s = nan: the value should be a finite number",
    "learning.generations=0": "learning.generations = 0: .*greater than or equal to 1",
    "learning.lifetimes=0": "learning.lifetimes = 0: .*greater than or equal to 1",
    "learning.population=7": "learning.population: got 7.*even",
    "learning.population=0": "learning.population: got 0.*at least 2",
    "learning.sigma=-1": "learning.sigma: got -1.0, expected more than 0",
    "learning.sigma=.inf": "learning.sigma = inf: expected finite numbers",
    "learning.population=1000000": "learning.population = 1000000: .*less than or equal to 100000",
    "learning.validation_lives=100000": "learning.validation_lives = 100000: .*to 10000",
    "learning.lifetimes=100000": "learning.lifetimes = 100000: .*less than or equal to 10000",
    "env.life_s=1e9": "env.life_s = 1000000000.0: .*less than or equal to 100000",
    "agent.hidden=0": "agent.hidden = 0: .*greater than or equal to 1",
    "tracking.checkpoint_every=0": "tracking.checkpoint_every = 0: .*greater than or equal to 1",
}


@pytest.mark.parametrize("override", MISTAKES)
def test_a_mistake_is_told_in_one_line_with_key_value_and_remedy(override: str, recipe: Path):
    with pytest.raises(UserError, match=MISTAKES[override]) as caught:
        load_config(recipe, [override])
    assert str(caught.value).startswith(f"{recipe}: ")
    assert "\n" not in str(caught.value)


def test_deep_rl_refuses_stages():
    shifts = "env.shifts={kind: friction, iterations: [3, null]}"
    with pytest.raises(UserError, match=r"env.shifts\[0\].iterations = \[3, None\]: ppo has no"):
        load_config("quadruped_ppo", [shifts])
    growing = "env.shifts={kind: motor_gain, target: all, gain: 0.5, mildest: {gain: 1}}"
    with pytest.raises(UserError, match=r"env.shifts\[0\].mildest: ppo has no severities"):
        load_config("quadruped_ppo", [growing])


@pytest.mark.parametrize(
    ("override", "message"),
    [
        ("seed", "must be key=value"),
        ("=3", "must be key=value"),
        ("env.=3", "must be key=value"),
        ("seed=[1", "not valid YAML"),
        ("seed={a: 1, a: 2}", "'a' stands there twice"),
        ("name.first=x", "name is no section"),
        ("env.id.name=x", "env.id is no section"),
    ],
)
def test_an_override_that_cannot_be_read_is_quoted(override: str, message: str, recipe: Path):
    with pytest.raises(UserError, match=message) as caught:
        load_config(recipe, [override])
    assert repr(override) in str(caught.value)
    assert "\n" not in str(caught.value)


def test_overrides_are_yaml_and_the_last_one_wins(recipe: Path):
    config = load_config(
        recipe,
        ["seed=1", "seed=2", "learning.sigma=1e-2", "env.life_s=null", "env.shifts=[]", "name=b-1"],
    )
    assert (config.seed, config.env.life_s, config.env.shifts, config.name) == (2, None, [], "b-1")
    assert config.learning.hyper["sigma"] == 0.01


def test_an_override_may_open_a_section_or_replace_it(tmp_path: Path):
    content = tiny_mapping()
    content["tracking"] = None
    path = tmp_path / "tiny.yaml"
    path.write_text(yaml.safe_dump(content))
    config = load_config(path, ["tracking.wandb=off", "agent={kind: mlp, hidden: [4, 3]}"])
    assert config.tracking.wandb == "off"
    assert config.agent.hyper == {"hidden": (4, 3), "reflex": ()}


def test_a_recipe_is_found_by_name_and_by_path(monkeypatch: pytest.MonkeyPatch, tmp_path: Path):
    monkeypatch.chdir(tmp_path)
    by_name = load_config("quickstart")
    assert by_name == load_config("configs/quickstart.yaml") == load_config("quickstart.yaml")
    write_tiny(tmp_path / "quickstart")
    assert load_config("quickstart").name == "tiny"


@pytest.mark.parametrize(
    "path", sorted(data_folder("configs").glob("*.yaml")), ids=lambda p: p.stem
)
def test_every_shipped_recipe_is_valid_and_its_brain_fits_its_world(path: Path):
    config = load_config(path)
    agent = build_agent(config, make_env(config, 1))
    assert agent.kind == config.agent.kind
    assert config.name == path.stem


@pytest.mark.parametrize("kind", ["reward_hebbian", "r_stdp", "node_perturbation_recurrent"])
def test_who_learns_from_trials_is_refused_where_there_are_none(kind: str):
    walk, reach = (
        parse_config({**tiny_mapping(), "env": {"id": world}, "agent": {"kind": kind}}, "tiny")
        for world in ("robolearn/Quadruped-v0", "robolearn/Reach-v0")
    )
    with pytest.raises(UserError, match=rf"'{kind}': it learns when a trial ends.*Quadruped-v0"):
        build_agent(walk, make_env(walk, 1))
    assert build_agent(reach, make_env(reach, 1)).kind == kind


@pytest.mark.parametrize("way", [{"learning_rate": 0.0}, {"credit": "step"}])
def test_who_learns_from_steps_or_not_at_all_may_live_without_trials(way: dict[str, Any]):
    walk = parse_config({**tiny_mapping(), "agent": {"kind": "reward_hebbian", **way}}, "tiny")
    assert build_agent(walk, make_env(walk, 1)).kind == "reward_hebbian"


@pytest.mark.parametrize("source", ["quickstrat", "nowhere/quickstart", ".", "/"])
def test_a_recipe_that_is_not_there_is_answered_with_those_that_are(source: str):
    with pytest.raises(UserError, match=r"unknown config file or recipe .*\(valid: .*quickstart"):
        load_config(source)


def test_a_config_says_what_was_left_out_so_that_a_new_default_changes_no_run(recipe: Path):
    config = load_config(recipe)
    assert config.agent.hyper["spike_steps"] == 4
    assert config.learning.hyper["learning_rate"] == 0.05
    assert config.learning.validate_every == 2


def test_a_config_reads_back_as_it_was_written():
    config = tiny_config(agent={"kind": "hebbian", "hidden": [4]})
    text = yaml.safe_dump(config.to_mapping())
    assert parse_config(yaml.safe_load(text), "again") == config


def test_a_brain_keeps_the_time_of_its_body_unless_told_otherwise():
    ant: dict[str, Any] = {"id": "robolearn/Ant-v0", "life_s": None, "shifts": []}
    assert tiny_config().agent.hyper["control_step_s"] == 0.02
    assert tiny_config(env=ant).agent.hyper["control_step_s"] == 0.05
    slow = tiny_config(env=ant, agent={"control_step_s": 0.1})
    assert slow.agent.hyper["control_step_s"] == 0.1


@pytest.mark.parametrize(
    "shifts",
    [
        "limb_damage:front_left:dead@0.2s",
        ["limb_damage:front_left:dead@0.2s"],
        {"kind": "limb_damage", "leg": "front_left", "mode": "dead", "onset_s": 0.2},
        [{"kind": "limb_damage", "leg": ["front_left", "rear_left"], "probability": 0.5}],
        [{"kind": "motor_gain", "gain": {"uniform": [0.2, 1.0]}}, "limb_damage:rear_left:locked"],
        [],
    ],
)
def test_shifts_may_be_texts_or_mappings_one_or_many(shifts: Any):
    config = tiny_config(env={"shifts": shifts})
    assert config.env.shifts == (shifts if isinstance(shifts, list) else [shifts])


@pytest.mark.parametrize(
    ("written", "mode"), [("off", "off"), ("'off'", "off"), ("offline", "offline")]
)
def test_off_is_a_word_and_not_false(written: str, mode: str, recipe: Path):
    assert load_config(recipe, [f"tracking.wandb={written}"]).tracking.wandb == mode


@pytest.mark.parametrize("section", ["name", "env", "agent", "learning"])
def test_a_missing_key_is_named(section: str):
    content = tiny_mapping()
    del content[section]
    with pytest.raises(UserError, match=f"tiny: the key '{section}' is missing"):
        parse_config(content, "tiny")
