"""Claims about protocols whose time is counted in trials, and about shifts that come back."""

import dataclasses

import numpy as np
import pytest

from robolearn.adaptation.metrics import PairedLives
from robolearn.adaptation.paired_lives import INTACT
from robolearn.adaptation.protocol_file import load_protocol
from robolearn.adaptation.protocol_run import evaluate
from robolearn.adaptation.savings import forgetting, savings
from robolearn.adaptation.windows import windows_of
from robolearn.config import load_config
from robolearn.errors import UserError
from robolearn.zoo import build_agent, make_env

SPANS = ((0.2, 0.4), (0.6, 0.8))
TRIALS = 40


def reverse(*overrides: str, **changes):
    """Let naive learners of the T-maze meet the reversal in lives of 40 trials."""
    config = load_config("tmaze_reward_hebbian", [*overrides])
    agent = build_agent(config, make_env(config, 1, config.env.life_s))
    protocol = load_protocol("reversal")
    parameters = {**protocol.parameters, "trials": TRIALS}
    protocol = dataclasses.replace(
        protocol, trials=TRIALS, parameters=parameters, episodes=6, **changes
    )
    genome = np.zeros(agent.genome.size, np.float32)
    options = {"variant": None, **config.env.parameters}
    return evaluate("tmaze", agent, genome, protocol, env_options=options)


@pytest.fixture(scope="module")
def reversed_():
    return reverse()


def traces(evaluation, name, frozen=False):
    lives = [x for x in evaluation.lives if (x.condition, x.frozen) == (name, frozen)]
    return np.array([life.trace for life in lives]), [round(life.onset_s) for life in lives]


def test_a_life_is_judged_by_trial(reversed_):
    assert (reversed_.time_unit, reversed_.life_s, reversed_.trace_step_s) == ("trials", TRIALS, 1)
    assert reversed_.unit == ""
    curves, onsets = traces(reversed_, "rewarded_side:other")
    assert curves.shape == (6, TRIALS)
    assert set(np.unique(curves)) == {0, 1}
    assert all(0.45 * TRIALS <= onset <= 0.55 * TRIALS for onset in onsets)


def test_the_arm_that_paid_no_longer_does_from_the_onset_on(reversed_):
    curves, onsets = traces(reversed_, "rewarded_side:other")
    twins, _ = traces(reversed_, INTACT)
    for curve, twin, onset in zip(curves, twins, onsets, strict=True):
        assert np.array_equal(curve[:onset], twin[:onset])
        assert twin[onset] == 1 - curve[onset]  # it goes where it went, and finds the other


def test_a_learner_relearns_and_its_frozen_twin_does_not(reversed_):
    (result,) = reversed_.conditions
    assert result.metrics["late_reference"] > 0.9
    assert result.metrics["retention"] > 0.8
    assert result.metrics["drop"] > 0.2
    assert result.metrics["frozen_late_performance"] < 0.1
    assert result.metrics["plasticity_benefit"] > 0.7


def test_a_shift_by_trials_comes_and_goes():
    spanned = reverse(spans=((0.5, 0.75),))
    curves, onsets = traces(spanned, "rewarded_side:other", frozen=True)
    assert onsets == [20] * 6
    # Who no longer learns is right, wrong while it lasts, and right again.
    shares = [curves[:, a:b].mean() for a, b in ((15, 20), (20, 30), (30, 40))]
    assert shares[0] > 0.8
    assert shares[1] < 0.2
    assert shares[2] > 0.8
    # Its late window ends with the shift, where it was still wrong.
    (result,) = spanned.conditions
    assert result.metrics["frozen_late_performance"] == pytest.approx(curves[:, 24:30].mean())
    assert {(life.late_from_s, life.late_until_s) for life in spanned.lives} == {(24, 30)}


def test_savings_are_those_of_shifts_that_come_back_alone():
    own = ("rewarded_side:other", "rewarded_side:other@8s")
    spanned, timed = reverse(spans=SPANS, templates=own).conditions
    for metric in ("savings", "forgetting"):
        assert np.isfinite(spanned.metrics[metric])
        assert np.isnan(timed.metrics[metric])


def test_worlds_without_trials_are_refused():
    protocol = dataclasses.replace(
        load_protocol("damage"), trials=5, templates=("limb_damage:front_left:dead",)
    )
    config = load_config("quickstart", ["env.parameters={}"])
    agent = build_agent(config, make_env(config, 1))
    with pytest.raises(UserError, match="judges by trial, quadruped has no trials"):
        evaluate("quadruped", agent, np.zeros(agent.genome.size), protocol)


def pairs(curve: list[float]) -> PairedLives:
    windows = windows_of([[(2, 4), (6, 8)]], 10)
    return PairedLives(
        np.array([curve]), np.ones((1, 10)), windows, np.array([10]), control_step_s=1.0
    )


def test_savings_and_forgetting_of_a_case_worked_by_hand():
    # 1 1 | .2 .4 | 1 .8 | .6 .6 | 1 1: at first .2 is left, then .6; in between 1 and .8.
    lives = pairs([1, 1, 0.2, 0.4, 1, 0.8, 0.6, 0.6, 1, 1])
    assert savings(lives, SPANS) == pytest.approx(0.6 - 0.2)
    assert forgetting(lives, SPANS) == pytest.approx(1 - 0.8)
    assert savings(lives, ()) != savings(lives, ())
    assert forgetting(lives, SPANS[:1]) != forgetting(lives, SPANS[:1])
