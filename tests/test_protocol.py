"""Claims about protocols: which conditions they make, when shifts begin, what counts as seen."""

import dataclasses

import numpy as np
import pytest

from robolearn.adaptation.protocol import ONSETS, SEEDS
from robolearn.adaptation.protocol_file import load_protocol, protocol_names
from robolearn.errors import UserError
from robolearn.learning.evolution import TRAINING, VALIDATION, life_seeds
from robolearn.shifts import parse_shifts
from robolearn.worlds import load_world

LEGS = ("front_left", "front_right", "rear_left", "rear_right")
LIFE_S = 10.0


@pytest.fixture(scope="module")
def world():
    return load_world("quadruped")


def write(folder, text):
    path = folder / "own.yaml"
    path.write_text(text, encoding="utf-8")
    return path


def own_shifts(*texts):
    return load_protocol("adaptation").with_shifts(texts)


def names(protocol, world):
    return [condition.name for condition in protocol.conditions(world)]


@pytest.mark.parametrize("body", ["quadruped", "ant"])
def test_damage_breaks_every_leg_of_the_body_in_every_way(body):
    found = names(load_protocol("damage"), load_world(body))
    modes = ("dead", "locked", "shortened:0.5", "amputated")
    assert sorted(found) == sorted(f"limb_damage:{leg}:{mode}" for leg in LEGS for mode in modes)


def test_the_default_protocol_is_damage_and_motor_gain(world):
    assert names(load_protocol("adaptation"), world) == names(
        load_protocol("damage"), world
    ) + names(load_protocol("motor_gain"), world)


@pytest.mark.parametrize("name", protocol_names())
def test_every_shipped_protocol_fits_the_body_that_it_is_for(name):
    bodies = {"reversal": "tmaze", "reaching_rotation": "reach", "wheels": "avoid"}
    body = bodies.get(name, "quadruped")
    assert load_protocol(name).conditions(load_world(body))


def test_a_shift_that_comes_back_is_the_one_that_went(tmp_path, world):
    text = "life_s: 10\nspans: [[.2, .4], [.6, 1]]\nconditions: ['motor_gain:all:0.5..0.9']"
    (condition,) = load_protocol(write(tmp_path, text)).conditions(world)
    (first, again), onset = condition.draw(world, 3)
    assert first.values == again.values
    assert [(p.onset_s, p.end_s) for p in (first, again)] == [(2, 4), (6, None)]
    assert onset == round(2 / world.control_step_s)


def test_a_shift_of_the_users_keeps_its_time_under_spans_too(tmp_path, world):
    text = f"spans: [[.2, .4], [.6, 1]]\n{CONDITIONS}"
    own = load_protocol(write(tmp_path, text)).with_shifts(["motor_gain:all:0.5@1s"])
    (condition,) = own.conditions(world)
    assert [plan.onset_s for plan in condition.plans] == [1]


def test_conditions_are_grouped_by_what_they_share_beside_the_leg_or_the_severity(world):
    conditions = {c.name: c for c in load_protocol("adaptation").conditions(world)}
    groups = {name: (c.group, c.leg) for name, c in conditions.items()}
    assert groups["limb_damage:rear_left:dead"] == ("limb_damage:dead", "rear_left")
    assert groups["limb_damage:rear_left:shortened:0.5"][0] == "limb_damage:shortened:0.5"
    assert groups["motor_gain:all:0.75"] == ("motor_gain:all", None)
    assert groups["motor_gain:rear_left:0.3"] == ("motor_gain:leg:0.3", "rear_left")


def test_mid_life_onsets_fill_the_middle_tenth_and_are_the_same_under_every_condition(world):
    conditions = load_protocol("adaptation").conditions(world)
    steps = [[c.draw(world, seed)[1] for seed in range(200)] for c in conditions]
    onsets_s = np.array(steps) * world.control_step_s
    assert 4.5 - 0.01 <= onsets_s.min() < 4.55
    assert 5.45 < onsets_s.max() <= 5.5 + 0.01
    assert (onsets_s == onsets_s[0]).all()


@pytest.mark.parametrize(("onset", "share"), [("birth", 0.0), ("early", 0.2), ("late", 0.8)])
def test_other_onsets_are_at_their_share_of_the_life(tmp_path, world, onset, share):
    text = f"onset: {onset}\nlife_s: 4\nconditions: ['limb_damage:front_left:dead']"
    (condition,) = load_protocol(write(tmp_path, text)).conditions(world)
    plans, step = condition.draw(world, 7)
    assert step * world.control_step_s == pytest.approx(4 * share)
    assert plans[0].onset_s == pytest.approx(4 * share)


def test_a_shift_of_the_users_keeps_its_time_and_without_one_follows_the_protocol(world):
    protocol = own_shifts(
        "limb_damage:front_left:dead@2s", "motor_gain:all:0.5", "motor_gain:all:0@0s"
    )
    timed, untimed, birth = protocol.conditions(world)
    assert timed.draw(world, 3)[1] * world.control_step_s == pytest.approx(2.0)
    assert 4.4 < untimed.draw(world, 3)[1] * world.control_step_s < 5.6
    assert birth.draw(world, 3)[1] == 0
    assert (timed.group, timed.leg) == ("limb_damage:dead", "front_left")


def test_a_comma_draws_one_of_the_values_for_each_life(world):
    (condition,) = own_shifts("limb_damage:front_left,rear_left:dead").conditions(world)
    drawn = {condition.draw(world, seed)[0][0].values["leg"] for seed in range(20)}
    assert drawn == {"front_left", "rear_left"}
    assert condition.leg is None


TRAINED = parse_shifts(
    [
        "limb_damage:front_left,rear_right:dead@3s..6s",
        {"kind": "limb_damage", "leg": "front_right", "mode": ["locked", "shortened"],
         "fraction": {"uniform": [0.4, 0.6]}, "probability": 0.25},
        {"kind": "limb_damage", "leg": "rear_left", "mode": "dead", "probability": 0},
        {"kind": "motor_gain", "target": "all", "gain": {"uniform": [0.8, 1.2]}},
    ]
)  # fmt: skip


@pytest.mark.parametrize(
    ("text", "seen"),
    [
        ("limb_damage:front_left:dead", "seen"),
        ("limb_damage:front_left:dead@0s", "seen"),  # whatever the onset
        ("limb_damage:front_left:locked", "unseen"),
        ("limb_damage:front_right:dead", "unseen"),
        ("limb_damage:front_right:locked", "seen"),  # a fraction means nothing to a lock
        ("limb_damage:front_right:shortened:0.5", "seen"),
        ("limb_damage:front_right:shortened:0.3", "unseen"),
        ("limb_damage:rear_left:dead", "unseen"),  # probability 0
        ("limb_damage:front_left,rear_left:dead", "partly"),
        ("limb_damage:front_left,rear_right:dead", "seen"),
        ("motor_gain:all:0.8", "seen"),
        ("motor_gain:all:0.5", "unseen"),
        ("motor_gain:all:1,1.5", "partly"),
        ("motor_gain:all:0.5..1.5", "partly"),
        ("motor_gain:all:0.9..1.1", "seen"),
        ("motor_gain:front_left:1", "unseen"),
    ],
)
def test_seen_is_what_training_could_draw(world, text, seen):
    (condition,) = own_shifts(text).conditions(world, TRAINED)
    assert condition.seen == seen


# A brain of one module a leg: the same weights drive all.
LEGS = ("front_left", "front_right", "rear_left", "rear_right")
ALIKE = {leg: [other for other in LEGS if other != leg] for leg in LEGS}


@pytest.mark.parametrize(
    ("text", "seen"),
    [
        ("limb_damage:front_left:dead", "seen"),
        ("limb_damage:front_right:dead", "symmetric"),
        ("limb_damage:front_left:locked", "unseen"),
        ("limb_damage:hip_front_left:dead", "unseen"),  # one joint of it alone
    ],
)
def test_a_leg_whose_motors_went_limp_has_been_dead(world, text, seen):
    limp = {"kind": "motor_gain", "target": "front_left", "gain": {"uniform": [0.0, 0.7]}}
    hip = world.model.joint(int(world.legs["front_left"].joints[0])).name
    text = text.replace("hip_front_left", hip)
    (condition,) = own_shifts(text).conditions(world, parse_shifts([limp]), ALIKE)
    assert condition.seen == seen


@pytest.mark.parametrize(
    ("text", "seen"),
    [
        ("limb_damage:front_left:dead", "seen"),
        ("limb_damage:rear_left:dead", "symmetric"),  # as front_left, of which training had it
        ("limb_damage:rear_left:dead,shortened:0.5", "symmetric"),
        ("limb_damage:rear_left:shortened:0.3", "unseen"),
        ("limb_damage:front_left,rear_left:dead", "partly"),
        ("limb_damage:rear_left_knee:dead", "unseen"),  # a whole leg, but never a knee
        ("motor_gain:all:0.5", "unseen"),
        ("motor_gain:rear_left:1", "unseen"),  # all motors at once, but never one leg's
    ],
)
def test_to_weights_shared_over_legs_another_leg_is_new_in_place_only(world, text, seen):
    (condition,) = own_shifts(text).conditions(world, TRAINED, alike=ALIKE)
    assert condition.seen == seen


def test_a_joint_that_training_hurt_on_another_leg_is_new_in_place_only(world):
    own, other = (
        world.model.joint(int(world.legs[leg].joints[0])).name
        for leg in world.legs
        if leg.startswith("front")
    )
    trained = parse_shifts([{"kind": "limb_damage", "leg": own, "mode": "locked"}])
    for joint, seen in ((own, "seen"), (other, "symmetric")):
        (condition,) = own_shifts(f"limb_damage:{joint}:locked").conditions(
            world, trained, alike=ALIKE
        )
        assert condition.seen == seen


def test_without_shifts_in_training_nothing_is_seen(world):
    assert {c.seen for c in load_protocol("adaptation").conditions(world)} == {"unseen"}


def test_test_lives_are_neither_those_of_training_nor_of_validation():
    test = life_seeds(5, SEEDS["test"], 0, 64)
    others = [life_seeds(5, purpose, i, 64) for purpose in (TRAINING, VALIDATION) for i in range(9)]
    assert not np.isin(test, np.concatenate(others)).any()


CONDITIONS = "conditions: [{kind: limb_damage, leg: every, mode: dead}]"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (f"episode: 8\n{CONDITIONS}", "unknown key 'episode'; did you mean 'episodes'"),
        (f"onset: midlife\n{CONDITIONS}", "unknown onset 'midlife'; did you mean 'mid_life'"),
        (f"seeds: training\n{CONDITIONS}", "unknown seeds 'training'"),
        (f"episodes: 0\n{CONDITIONS}", "episodes must be a whole number from 1 to 10000, got 0"),
        (f"episodes: 100000\n{CONDITIONS}", "from 1 to 10000, got 100000"),
        (f"episodes: 2.5\n{CONDITIONS}", "episodes must be a whole number from 1 to 10000, got 2"),
        (f"onset: [1]\n{CONDITIONS}", r"unknown onset \[1\] \(valid: birth"),
        (f"seeds: {{a: 1}}\n{CONDITIONS}", "unknown seeds {'a': 1}"),
        ("conditions: [{kind: [1]}]", r"unknown shift \[1\] \(valid: .*limb_damage"),
        ("conditions: [{leg: every}]", "the key 'kind' is missing in the shift {'leg': 'every'}"),
        ("conditions: [{kind: limb_damage, leg: [[a]]}]", "leg must be a value or a list of val"),
        (
            f"parameters: {{1: 1}}\n{CONDITIONS}",
            "parameters must be a mapping of names, got {1",
        ),
        (f"life_s: 1.0e+9\n{CONDITIONS}", "life_s must be a number from 0.001 to 100000, got 1"),
        (f"life_s: -1\n{CONDITIONS}", "life_s must be a number from 0.001 to 100000, got -1"),
        ("episodes: 8", "conditions must be a list of shifts, got None"),
        ("conditions: [{kind: limb_damag}]", "did you mean 'limb_damage'"),
        ("conditions: [{kind: limb_damage, mod: dead}]", "'mod'; did you mean 'mode'"),
        ("conditions: [{kind: limb_damage, mode: []}]", "mode must be a value or a list"),
        ("conditions: [5]", "a condition must be a mapping or a text, got 5"),
        (f"spans: [[.5, .2]]\n{CONDITIONS}", "spans must be rising shares of a life"),
        (f"spans: [.2, .5]\n{CONDITIONS}", "spans must be rising shares of a life"),
        (f"spans: [[.2, 1.5]]\n{CONDITIONS}", "spans must be a number from 0 to 1, got 1.5"),
        (f"spans: [[.2, .5]]\nonset: late\n{CONDITIONS}", "give onset or spans, not both"),
        (f"trials: 0\n{CONDITIONS}", "trials must be a whole number from 1 to 100000, got 0"),
        (f"trials: 9\nlife_s: 9\n{CONDITIONS}", "give trials or life_s, not both"),
        (f"parameters: 3\n{CONDITIONS}", "parameters must be a mapping of names, got 3"),
    ],
)
def test_a_mistake_in_a_protocol_is_told_with_its_file(tmp_path, text, message):
    path = write(tmp_path, text)
    with pytest.raises(UserError, match=message) as caught:
        load_protocol(path)
    assert str(path) in str(caught.value)


def test_a_protocol_that_does_not_fit_a_body_is_named_with_the_shifts_that_do():
    message = "^protocol reversal: shift 'rewarded_side' does not apply to quadruped .valid: limb_d"
    with pytest.raises(UserError, match=message):
        load_protocol("reversal").conditions(load_world("quadruped"))


def test_absurd_numbers_of_the_command_line_are_refused_too():
    with pytest.raises(UserError, match="episodes must be a whole number from 1 to 10000, got 100"):
        dataclasses.replace(load_protocol("damage"), episodes=10**11)


def test_an_unknown_protocol_is_answered_with_the_nearest():
    with pytest.raises(UserError, match="unknown protocol 'damages'; did you mean 'damage'"):
        load_protocol("damages")


@pytest.mark.parametrize(
    ("texts", "message"),
    [
        (("limb_damage:middle_left:dead",), "unknown leg or joint of quadruped 'middle_left'"),
        (("limb_damage:front_left:dead@9.5s",), "less than a tenth of the life"),
        (("limb_damage:front_left:dead@12s",), "past the end of life"),
        (("limb_damage:front_left:dead@5s-4s",), "end_s 4 is not after onset_s 5"),
        (("motor_gain:all:0.5", "motor_gain:all:0.5"), "'motor_gain:all:0.5' stands there twice"),
    ],
)
def test_a_shift_that_cannot_be_measured_is_refused(world, texts, message):
    with pytest.raises(UserError, match=message):
        own_shifts(*texts).conditions(world)


def test_the_latest_onset_that_is_accepted_leaves_something_to_measure(world):
    (condition,) = own_shifts("limb_damage:front_left:dead@8.98s").conditions(world)
    steps = round(LIFE_S / world.control_step_s)
    assert condition.draw(world, 0)[1] == steps - steps // 10 - 1
    assert max(ONSETS["mid_life"]["uniform"]) < 0.898
