"""Claims about the statistics: they agree with SciPy and keep what their intervals promise."""

import json
from itertools import product
from pathlib import Path

import numpy as np
import pytest
from scipy import stats

from robolearn.adaptation.interval_cover import COVER
from robolearn.adaptation.statistics import (
    coverage,
    interval,
    iqm,
    jackknife_interval,
    performance_profile,
    probability_of_improvement,
    sign_flip_test,
)


def normal(*shape, seed=0):
    return np.random.default_rng(seed).standard_normal(shape)


@pytest.mark.parametrize("runs", [4, 8, 40])
def test_iqm_is_scipys_trimmed_mean_where_a_quarter_is_a_whole_number(runs):
    values = normal(runs)
    assert iqm(values) == pytest.approx(stats.trim_mean(values, 0.25), rel=1e-12)


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        ([7], 7),
        ([1, 3], 2),
        ([0, 1, 8], (0.25 * 0 + 1 + 0.25 * 8) / 1.5),
        ([100, 1, 2, 3, -100], (0.75 * 1 + 2 + 0.75 * 3) / 2.5),
        ([0, 1, 2, 4, 6, 100], (0.5 * 1 + 2 + 4 + 0.5 * 6) / 3),
    ],
)
def test_iqm_cuts_the_edge_elements_in_parts(values, expected):
    assert iqm(np.array(values)) == pytest.approx(expected)


def test_iqm_of_a_table_pools_runs_and_tasks():
    table = normal(6, 4)
    assert iqm(table) == pytest.approx(stats.trim_mean(table.ravel(), 0.25))


def test_iqm_ignores_how_far_an_outlier_lies():
    assert iqm(np.array([1, 2, 3, 4e9])) == iqm(np.array([1, 2, 3, 4]))


def test_small_interval_of_three_runs_worked_by_hand():
    low_high = interval(np.array([1.0, 2, 3]))
    half = stats.t.ppf(0.975, 2) * 1 / np.sqrt(3)  # standard deviation 1, quartiles 1.5 and 2.5
    assert low_high.method == "t"
    assert low_high[:3] == pytest.approx((2, 2 - half, 2 + half))


def test_method_follows_the_number_of_runs_and_not_of_values():
    assert interval(normal(10)).method == "bootstrap"
    assert interval(normal(9, 50)).method == "t"
    alone = interval(np.array([[1.0, 2, 3]]))
    assert alone.method == "none"
    assert alone.iqm == 2
    assert np.isnan([alone.low, alone.high]).all()


@pytest.mark.parametrize("runs", [5, 12])
def test_interval_encloses_the_iqm_grows_with_confidence_and_moves_with_the_values(runs):
    values = normal(runs, 3)
    wide, narrow = interval(values, 0.99), interval(values, 0.8)
    assert wide.low < narrow.low < narrow.iqm < narrow.high < wide.high
    moved = interval(10 * values + 5, 0.8)
    assert moved[:3] == pytest.approx([10 * x + 5 for x in narrow[:3]])


def test_seed_of_the_bootstrap_is_honoured():
    values = normal(12)
    assert interval(values, seed=1) == interval(values, seed=1)
    assert interval(values, seed=1) != interval(values, seed=2)


def test_bootstrap_agrees_with_scipy():
    values = normal(20)
    theirs = stats.bootstrap(
        (values,),
        lambda x, axis: stats.trim_mean(x, 0.25, axis=axis),
        method="percentile",
        n_resamples=20_000,
        rng=np.random.default_rng(0),
    ).confidence_interval
    ours = interval(values, resamples=20_000)
    assert ours[1:3] == pytest.approx((theirs.low, theirs.high), abs=0.03)


def test_bootstrap_resamples_runs_with_all_their_tasks():
    # Ten tasks that all repeat the run's own value hold no more evidence than one task.
    runs = normal(16, 1)
    one, repeated = interval(runs), interval(np.tile(runs, (1, 10)))
    assert repeated.high - repeated.low == pytest.approx(one.high - one.low, rel=1e-9)


def test_identical_runs_have_an_interval_of_no_width():
    for runs in (3, 12):
        low_high = interval(np.full(runs, 4.0))
        assert (low_high.low, low_high.high) == pytest.approx((4, 4))


# Four standard errors of 3000 repeats are 1.6 %.
@pytest.mark.parametrize(("runs", "least"), [(2, 0.934), (3, 0.934), (5, 0.934), (8, 0.934)])
def test_small_intervals_cover_what_they_promise_on_normal_runs(runs, least):
    assert least <= coverage(lambda rng: rng.standard_normal(runs), 0.0, repeats=3000) <= 0.98


def test_small_intervals_cover_with_skewed_runs():
    # IQM of exp(z / 2), by numerical integration over the middle half of its quantiles.
    quantiles = stats.lognorm(0.5).ppf(np.linspace(0.25, 0.75, 20_001))
    share = coverage(lambda rng: np.exp(rng.standard_normal(5) / 2), quantiles.mean(), 3000)
    assert 0.93 <= share <= 0.985


@pytest.mark.parametrize("shared", [0.0, 1.0])
@pytest.mark.parametrize("spread", [0.0, 3.0])
def test_small_intervals_cover_on_tables_of_unequal_and_dependent_tasks(shared, spread):
    tasks = np.array([-1.0, -0.3, 0.3, 1.0]) * spread

    def draw(rng):
        return tasks + rng.standard_normal((5, 4)) + shared * rng.standard_normal((5, 1))

    assert coverage(draw, 0.0, repeats=2000) >= 0.93


def test_bootstrap_covers_a_little_less_than_it_promises_at_ten_runs():
    share = coverage(lambda rng: rng.standard_normal(10), 0.0, repeats=2000)
    assert 0.91 <= share <= 0.955


def test_probability_of_improvement_is_scipys_mann_whitney_u():
    ours = np.array([3, 1, 4, 1, 5, 9, 2, 6, 5])
    theirs = np.array([2, 7, 1, 8, 2, 8, 1])  # ties within and between
    u = stats.mannwhitneyu(ours, theirs).statistic
    assert probability_of_improvement(ours, theirs) == pytest.approx(u / 63)


def test_probability_of_improvement_averages_tasks_and_is_antisymmetric():
    ours = np.array([[3.0, 1], [2, 1]])
    theirs = np.array([[1.0, 1], [2.5, 5], [0, 5]])
    # first task: 3 beats all three, 2 beats two; second: each 1 ties once and loses twice
    assert probability_of_improvement(ours, theirs) == pytest.approx((5 / 6 + 1 / 6) / 2)
    other, another = normal(5, 2), normal(4, 2, seed=1)
    both = probability_of_improvement(other, another) + probability_of_improvement(another, other)
    assert both == pytest.approx(1)
    with pytest.raises(ValueError, match="same tasks"):
        probability_of_improvement(ours, theirs[:, :1])


def test_performance_profile_counts_the_runs_above_each_threshold():
    table = np.array([[0.1, 0.5], [0.5, 0.9]])
    profile = performance_profile(table, np.array([0.0, 0.1, 0.5, 0.89, 1.0]))
    np.testing.assert_allclose(profile, [1, 0.75, 0.25, 0.25, 0])


def test_sign_flip_test_worked_by_hand():
    # All of one sign: only the pattern itself and its mirror image are as extreme.
    assert sign_flip_test(np.array([1.0, 2, 3])) == 2 / 8
    # |sum| of (1, 2, -4) is 1: of the 8 sums ±7, ±5, ±3, ±1 all are at least as far from zero.
    assert sign_flip_test(np.array([1.0, 2, -4])) == 1
    # |sum| of (-1, 2, 4) is 5: ±7 and ±5 are.
    assert sign_flip_test(np.array([-1.0, 2, 4])) == 4 / 8
    assert sign_flip_test(np.zeros(4)) == 1


def test_sign_flip_test_agrees_with_scipy():
    differences = normal(9) + 0.5
    theirs = stats.permutation_test(
        (differences,), np.mean, permutation_type="samples", n_resamples=2**9
    )
    assert sign_flip_test(differences) == pytest.approx(theirs.pvalue)


def test_random_sign_flips_come_near_the_exact_test_and_honour_the_seed():
    differences = normal(12) + 0.4
    exact = sign_flip_test(differences)
    assert sign_flip_test(differences, resamples=4000) == pytest.approx(exact, abs=0.03)
    p = [sign_flip_test(differences, seed, resamples=4000) for seed in (1, 1, 2)]
    assert p[0] == p[1] != p[2]


def test_sign_flip_test_counts_ties_whatever_the_rounding():
    # Every pattern of (0.1, 0.2, 0.3) that gives |sum| 0.6 or 0.0 must be recognised.
    for signs in product((-1, 1), repeat=3):
        p = sign_flip_test(np.array(signs) * np.array([0.1, 0.2, 0.3]))
        assert p in (2 / 8, 4 / 8, 6 / 8, 1)
    assert sign_flip_test(np.array([0.1, 0.2, -0.3])) == 1


@pytest.mark.parametrize(
    ("values", "message"),
    [
        (np.array([]), "got shape"),
        (np.zeros((2, 2, 2)), "got shape"),
        (np.array([1.0, np.nan, np.inf]), "2 that are not"),
    ],
)
@pytest.mark.parametrize("function", [iqm, interval, sign_flip_test])
def test_values_that_break_the_contract_are_refused(function, values, message):
    with pytest.raises(ValueError, match=message):
        function(values)


def test_confidence_is_a_share():
    with pytest.raises(ValueError, match="confidence: got 95"):
        interval(np.zeros(3), confidence=95)


def test_the_jackknife_of_a_mean_is_students_interval():
    values = np.random.default_rng(1).normal(size=8)
    found = jackknife_interval(lambda chosen: float(values[chosen].mean()), 8)
    low, high = stats.t.interval(0.95, 7, values.mean(), stats.sem(values))
    assert (found.iqm, found.low, found.high) == pytest.approx((values.mean(), low, high))
    assert jackknife_interval(lambda chosen: 1.0, 1).method == "none"


def test_the_note_on_cover_tells_what_was_simulated():
    path = Path(__file__).parent.parent / "benchmarks/interval_cover.json"
    told = json.loads(path.read_text())["cover"]
    for runs, (least, most, half) in COVER.items():
        rows = {row["shape"]: row["cover"] for row in told if row["runs"] == runs}
        failing = rows.pop("half of the runs fail")
        assert (least, most, half) == pytest.approx(
            (min(rows.values()), max(rows.values()), failing), abs=5e-4
        )


@pytest.mark.slow
def test_the_simulated_cover_holds_today():
    told = {}
    for runs, (least, most, _) in COVER.items():
        told[runs] = coverage(lambda rng, n=runs: rng.standard_normal(n), 0.0, 2000, seed=9)
        assert least - 0.02 < told[runs] < most + 0.02
