"""Claims about the adaptation metrics: every definition against a life worked by hand."""

import math
from dataclasses import replace

import numpy as np
import pytest

from robolearn.adaptation import metrics
from robolearn.adaptation.metrics import PairedLives
from robolearn.adaptation.windows import windows_of

STEPS = 40  # early window 4 steps, late window 10 steps


def life(*pieces):
    """Build one life from (steps, performance) pieces."""
    curve = np.concatenate([np.full(steps, float(value)) for steps, value in pieces])
    assert len(curve) == STEPS
    return curve


def paired(*curves, twins=None, onset: int | list[int] = 20, fall=None, spans=None, **other):
    """Pair lives under a shift that lasts from `onset` on, or acts in `spans` of steps alone."""
    performance = np.stack(curves)
    episodes = len(performance)
    lasting = [[(int(begin), STEPS)] for begin in np.broadcast_to(onset, episodes)]
    return PairedLives(
        performance=performance,
        reference=np.stack(twins) if twins else np.full_like(performance, 2.0),
        windows=windows_of([spans] * episodes if spans else lasting, STEPS),
        fall_step=np.array(fall) if fall else np.full(episodes, STEPS),
        control_step_s=0.5,
        **other,
    )


# Walks at 2 m/s, is hit at step 20, drops to 0.5, and has climbed to 1.5 for the last quarter.
HIT = life((20, 2), (4, 0.5), (6, 1.0), (10, 1.5))


def test_metrics_of_one_life_worked_by_hand():
    lives = paired(HIT)
    assert metrics.retention(lives) == pytest.approx(1.5 / 2)
    assert metrics.drop(lives) == pytest.approx(1 - 0.5 / 2)
    assert metrics.adaptation(lives) == pytest.approx((1.5 - 0.5) / 2)
    lost = 4 * 1.5 + 6 * 1.0 + 10 * 0.5
    assert metrics.robustness_area(lives) == pytest.approx(lost / (20 * 2))
    assert metrics.fall_rate(lives) == 0


def test_an_unharmed_life_loses_nothing():
    lives = paired(life((40, 2)))
    report = metrics.measure(lives)
    assert report["retention"] == 1
    assert report["drop"] == report["adaptation"] == report["robustness_area"] == 0
    assert math.isnan(report["recovered_share"])
    assert report["late_performance"] == report["late_reference"] == 2


def test_episodes_are_pooled_as_a_ratio_of_means_and_not_as_a_mean_of_ratios():
    slow_twin, fast_twin = life((40, 0.1)), life((40, 3.9))
    lives = paired(life((40, 0.3)), life((40, 0.0)), twins=[slow_twin, fast_twin])
    assert metrics.retention(lives) == pytest.approx(0.15 / 2)  # the mean of ratios is 1.5
    assert metrics.drop(lives) == pytest.approx(1 - 0.15 / 2)
    assert metrics.robustness_area(lives) == pytest.approx((-0.2 + 3.9) / 4)


def test_each_episode_has_its_own_onset():
    early_hit = life((8, 2), (4, 0), (28, 1))
    lives = paired(early_hit, HIT, onset=[8, 20])
    assert metrics.drop(lives) == pytest.approx(1 - (0 + 0.5) / 4)
    assert metrics.adaptation(lives) == pytest.approx(((1 - 0) + (1.5 - 0.5)) / 4)


def test_damage_at_birth_is_an_onset_at_step_zero():
    lives = paired(life((4, 0), (26, 1), (10, 2)), onset=0)
    assert metrics.drop(lives) == 1
    assert metrics.retention(lives) == 1
    assert metrics.robustness_area(lives) == pytest.approx((4 * 2 + 26 * 1) / 80)


def test_a_late_onset_never_counts_time_before_the_shift_or_the_dip_as_the_end_of_life():
    lives = paired(life((32, 2), (4, 0), (4, 1)), onset=32)  # the last quarter begins at step 30
    assert metrics.retention(lives) == 0.5
    assert metrics.adaptation(lives) == 0.5


def test_a_fall_loses_all_that_follows_and_is_counted():
    fallen = life((20, 2), (10, 2), (10, 0))
    lives = paired(fallen, life((40, 2)), fall=[30, STEPS])
    assert metrics.retention(lives) == 0.5
    assert metrics.fall_rate(lives) == 0.5
    assert metrics.drop(lives) == 0


def test_episodes_that_never_walked_count_as_failures():
    walker, twin = HIT, life((40, 2))
    lives = paired(walker, life((40, 5)), twins=[twin, life((40, 0.04))], walks_above=0.05)
    assert metrics.retention(lives) == pytest.approx(0.75 / 2)
    assert metrics.drop(lives) == pytest.approx((0.75 + 1) / 2)
    assert metrics.adaptation(lives) == pytest.approx(0.5 / 2)
    assert metrics.robustness_area(lives) == pytest.approx((17 / 40 + 1) / 2)
    assert metrics.measure(lives)["walked_share"] == 0.5


def test_a_seed_that_never_walked_has_the_worst_values_and_no_recovery():
    report = metrics.measure(paired(life((40, 0)), twins=[life((40, 0))]))
    assert (report["retention"], report["drop"]) == (0, 1)
    assert (report["adaptation"], report["robustness_area"]) == (0, 1)
    assert (report["recovered_share"], report["median_recovery_s"]) == (0, math.inf)


def test_a_ratio_is_undefined_where_the_twins_stand_still():
    twin = life((30, 2), (10, 0))
    lives = paired(life((40, 1)), twins=[twin])
    assert math.isnan(metrics.retention(lives))
    assert metrics.drop(lives) == 0.5


# Shifts that end, in the spans of the protocols that are shipped, here of 40 steps.
ROTATION = [(20, 26), (32, 38)]
FORGETTING = [(10, 20), (30, 40)]


def halved_within(spans):
    """Return a life of 2 m/s, and half of it under the shift: a body that heals, and no learner."""
    curve = life((40, 2))
    for begin, end in spans:
        curve[begin:end] = 1
    return curve


@pytest.mark.parametrize("spans", [ROTATION, FORGETTING, [(8, 24)], [(32, 39)]])
def test_what_ends_is_measured_while_it_acts_and_healing_is_no_recovery(spans):
    report = metrics.measure(paired(halved_within(spans), spans=spans))
    assert report["retention"] == report["drop"] == report["robustness_area"] == 0.5
    assert report["adaptation"] == 0
    assert (report["recovered_share"], report["median_recovery_s"]) == (0, math.inf)
    assert (report["late_performance"], report["late_reference"]) == (1, 2)


def test_a_recovery_is_waited_for_until_the_shift_ends():
    back = metrics.recovery(paired(halved_within(FORGETTING), spans=FORGETTING))
    assert back.state[0] == "censored"
    assert back.time_s[0] == 10 * 0.5
    at_the_end = life((10, 2), (9, 0), (21, 2))  # one step of the shift is left: it must hold two
    assert metrics.recovery(paired(at_the_end, spans=FORGETTING)).state[0] == "censored"


def test_who_relearns_before_the_shift_ends_is_told_from_who_does_not():
    spans = [(8, 24)]  # 2 s to 6 s of a life of 10 s
    learner = life((8, 2), (4, 0.5), (2, 1), (10, 1.9), (16, 2))
    lives = paired(learner, spans=spans)
    assert metrics.retention(lives) == pytest.approx(1.9 / 2)
    assert metrics.adaptation(lives) == pytest.approx((1.9 - 0.5) / 2)
    assert metrics.robustness_area(lives) == pytest.approx((4 * 1.5 + 2 * 1 + 10 * 0.1) / 32)
    back = metrics.recovery(lives)
    assert (back.state[0], back.time_s[0]) == ("recovered", 6 * 0.5)
    frozen = metrics.late_mean(halved_within(spans)[None], lives.windows)
    still = metrics.late_mean(lives.reference, lives.windows)
    live = metrics.late_mean(lives.performance, lives.windows)
    assert metrics.plasticity_benefit(live, frozen, still, still) == pytest.approx(1.9 - 1)


def test_the_second_time_counts_late_and_the_first_early():
    curve = life((10, 2), (4, 0.4), (6, 1), (10, 2), (10, 1.6))
    lives = paired(curve, spans=FORGETTING)
    assert metrics.drop(lives) == pytest.approx(0.8)
    assert metrics.retention(lives) == pytest.approx(0.8)
    assert metrics.adaptation(lives) == pytest.approx(0.6)


def bounds(windows, name):
    return [int(bound[0]) for bound in getattr(windows, name)]


@pytest.mark.parametrize(
    ("spans", "under", "late"),
    [
        (ROTATION, [20, 26], [32, 38]),
        (FORGETTING, [10, 20], [30, 40]),
        ([(5, 12), (14, 40)], [5, 12], [30, 40]),
        ([(8, 24)], [8, 24], [14, 24]),
        ([(20, 27)], [20, 27], [24, 27]),  # never within the early window
        ([(20, 99)], [20, 40], [30, 40]),  # it would end after the life
        ([(10, 20), (20, 32)], [10, 32], [22, 32]),  # it does not go in between
        ([(20, 25)], [20, 25], [24, 25]),
        ([(20, 24)], [20, 40], [30, 40]),  # a tenth of the life: a perturbation
        ([(8, 24), (30, 32)], [8, 24], [30, 40]),
    ],
)
def test_the_windows_of_spans_worked_by_hand(spans, under, late):
    windows = windows_of([spans], STEPS)
    assert bounds(windows, "early") == [spans[0][0], spans[0][0] + 4]
    assert bounds(windows, "under") == under
    assert bounds(windows, "late") == late


@pytest.mark.parametrize("steps", [2, 3, 7, 40, 101, 2400])
def test_a_shift_that_lasts_has_the_last_quarter_of_life_and_all_that_follows_the_onset(steps):
    tenth, quarter = max(1, steps // 10), max(1, steps // 4)
    onset = np.arange(steps - tenth)
    windows = windows_of([[(int(begin), steps)] for begin in onset], steps)
    for window, start, end in (
        (windows.early, onset, onset + tenth),
        (windows.under, onset, steps),
        (windows.late, np.maximum(steps - quarter, onset + tenth), steps),
    ):
        np.testing.assert_array_equal(window, np.broadcast_arrays(start, end))
    with pytest.raises(ValueError, match=f"onset: expected 0 to {onset[-1]} in a life of {steps}"):
        windows_of([[(int(onset[-1]) + 1, steps)]], steps)


def test_a_short_perturbation_is_measured_by_all_that_follows_it():
    stumble = life((20, 2), (3, 0), (3, 1), (14, 2))
    brief, lasting = (paired(stumble, spans=spans) for spans in ([(20, 23)], [(20, 40)]))
    assert metrics.measure(brief) == metrics.measure(lasting)
    assert metrics.measure(brief)["recovered_share"] == 1


def test_each_episode_has_its_own_end():
    curves = [halved_within([(8, 24)]), halved_within([(8, 30)])]
    lives = paired(*curves)
    lives = replace(lives, windows=windows_of([[(8, 24)], [(8, 30)]], STEPS))
    assert metrics.late_mean(lives.performance, lives.windows).tolist() == [1, 1]
    assert bounds(lives.windows.of(1), "late") == [20, 30]


# Recovery. Steps last 0.5 s, so "held for 1 s" is two steps.


def recover(*curves, **other):
    return metrics.recovery(paired(*curves, **other), smoothing_s=0)


def test_recovery_is_timed_from_the_onset_to_where_ninety_percent_begin_to_hold():
    # dip 0, twin 2: the threshold is 1.8
    back = recover(life((20, 2), (7, 0), (1, 1.79), (12, 1.8)))
    assert back.state[0] == "recovered"
    assert back.time_s[0] == 8 * 0.5


def test_recovery_must_hold():
    flicker = life((20, 2), (6, 0), (1, 2), (3, 0), (2, 2), (8, 0))
    assert recover(flicker).time_s[0] == 10 * 0.5
    at_the_end = life((20, 2), (19, 0), (1, 2))
    back = recover(at_the_end)
    assert back.state[0] == "censored"
    assert back.time_s[0] == 20 * 0.5


def test_a_fall_censors_recovery_at_the_fall():
    back = recover(life((20, 2), (6, 1), (14, 0)), fall=[26])
    assert back.state[0] == "censored"
    assert back.time_s[0] == 6 * 0.5
    before_onset = recover(life((10, 2), (30, 0)), fall=[10])
    assert before_onset.state[0] == "censored"
    assert before_onset.time_s[0] == 0


def test_a_fall_is_no_recovery_even_if_the_threshold_is_negative():
    backwards = life((20, 2), (4, -30), (16, 0))  # dip -30, threshold -1.2, zero after the fall
    assert recover(backwards, fall=[24]).state[0] == "censored"


@pytest.mark.parametrize(("left", "state"), [(1.81, "undefined"), (1.79, "censored")])
def test_without_a_drop_of_a_tenth_there_is_nothing_to_recover_from(left, state):
    back = recover(life((20, 2), (20, left)))
    assert back.state[0] == state
    assert math.isnan(back.time_s[0]) == (state == "undefined")


def test_the_moment_before_the_shift_bites_is_no_recovery():
    back = recover(life((20, 2), (2, 2), (8, 0), (10, 2)))  # early mean 1, threshold 1.9
    assert back.time_s[0] == 10 * 0.5


def test_smoothing_bridges_the_swing_of_a_gait_and_never_looks_before_the_onset():
    swing = np.where(np.arange(STEPS) % 2, 3.0, 1.0)
    swing[20:26] = 0
    lives = paired(swing)
    assert metrics.recovery(lives, smoothing_s=0).state[0] == "censored"
    back = metrics.recovery(lives, smoothing_s=1.0)  # two steps
    assert back.time_s[0] == 7 * 0.5
    sudden = paired(life((20, 2), (4, 0), (16, 2)))
    assert metrics.recovery(sudden, smoothing_s=2.0).time_s[0] == (4 + 3) * 0.5


def test_seed_summary_counts_the_censored_as_never_and_leaves_out_the_undefined():
    quick = life((20, 2), (4, 0), (16, 2))
    slow = life((20, 2), (10, 0), (10, 2))
    never = life((20, 2), (20, 0))
    unharmed = life((40, 2))
    back = recover(quick, slow, never, unharmed)
    assert back.state.tolist() == ["recovered", "recovered", "censored", "undefined"]
    assert back.recovered_share == pytest.approx(2 / 3)
    assert back.median_s == 10 * 0.5
    assert recover(quick, never, unharmed).median_s == math.inf
    assert math.isnan(recover(unharmed).median_s)


def test_plasticity_benefit_is_a_paired_difference_in_differences():
    live_shifted, frozen_shifted = np.array([1.5, 1.0]), np.array([0.5, 0.4])
    live_intact, frozen_intact = np.array([2.0, 2.0]), np.array([1.9, 2.3])
    benefit = metrics.plasticity_benefit(live_shifted, frozen_shifted, live_intact, frozen_intact)
    assert benefit == pytest.approx(((1.0 - 0.1) + (0.6 + 0.3)) / 2)
    with pytest.raises(ValueError, match="paired"):
        metrics.plasticity_benefit(live_shifted, frozen_shifted, live_intact, np.zeros(3))


def test_gap_closed_runs_from_the_static_network_to_the_ceiling():
    assert metrics.gap_closed(0.5, 0.5, 1.5) == 0
    assert metrics.gap_closed(1.5, 0.5, 1.5) == 1
    assert metrics.gap_closed(0.25, 0.5, 1.5) == -0.25
    assert math.isnan(metrics.gap_closed(1.0, 0.5, 0.5))


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"reference": np.ones((1, 39))}, "reference: expected shape"),
        ({"performance": np.full((1, STEPS), np.nan)}, "finite"),
        ({"windows": windows_of([[(20, 41)]], 41)}, "windows: expected those of"),
        ({"windows": windows_of([[(20, 40)]] * 2, STEPS)}, "windows: expected those of"),
        ({"fall_step": np.array([30])}, "zero from the fall on"),
        ({"fall_step": np.array([41])}, "fall_step: expected 0 to 40"),
        ({"control_step_s": 0.0}, "control_step_s"),
    ],
)
def test_arrays_that_do_not_belong_together_are_refused(change, message):
    with pytest.raises(ValueError, match=message):
        replace(paired(HIT), **change)


def test_single_precision_recordings_give_the_same_figures():
    lives = paired(HIT, life((20, 2), (20, 0.3)))
    single = replace(
        lives,
        performance=lives.performance.astype(np.float32),
        reference=lives.reference.astype(np.float32),
    )
    assert metrics.measure(single) == pytest.approx(metrics.measure(lives), rel=1e-6)
