"""Short-term plasticity settles where Tsodyks and Markram's recursion says."""

import math

import numpy as np
import pytest

from robolearn.neurons.lif import decay
from robolearn.plasticity.short_term import release

F = np.float32
STEP_S = 0.005
SYNAPSES = {  # U, τ_f s, τ_d s
    "depression": (0.5, 0.02, 0.8),
    "facilitation": (0.1, 1.0, 0.05),
    "both": (0.2, 0.6, 0.4),
}


def train(intervals_s, utilisation, facilitation_s, depression_s, step_s=STEP_S):
    """Return what every spike releases, the first at time 0."""
    u, x, out = np.zeros(1, F), np.ones(1, F), np.empty(1, F)
    u_decay = decay(step_s, facilitation_s) if facilitation_s else F(0)
    x_decay = decay(step_s, depression_s)
    released = []
    for interval_s in (step_s, *intervals_s):
        steps = round(interval_s / step_s)
        for step in range(1, steps + 1):
            release(u, x, np.full(1, step == steps, F), F(utilisation), u_decay, x_decay, out)
        released.append(float(out[0]))
    return np.array(released)


def steady_state(interval_s, utilisation, facilitation_s, depression_s):
    forget = math.exp(-interval_s / facilitation_s)
    recover = math.exp(-interval_s / depression_s)
    u = utilisation / (1 - (1 - utilisation) * forget)
    return u * (1 - recover) / (1 - (1 - u) * recover)


@pytest.mark.parametrize("synapse", SYNAPSES.values(), ids=SYNAPSES.keys())
@pytest.mark.parametrize("rate_hz", [5, 20, 50])
def test_a_regular_train_settles_at_the_analytic_release(synapse, rate_hz):
    released = train([1 / rate_hz] * 200, *synapse)
    assert released[-1] == pytest.approx(steady_state(1 / rate_hz, *synapse), rel=1e-3)
    assert released[0] == pytest.approx(synapse[0], rel=1e-5)


def test_depressing_synapses_end_below_their_first_release_facilitating_ones_above():
    depressing = train([0.05] * 100, *SYNAPSES["depression"])
    facilitating = train([0.05] * 100, *SYNAPSES["facilitation"])
    assert depressing[-1] < 0.3 * depressing[0]
    assert facilitating[-1] > 2 * facilitating[0]
    assert (np.diff(depressing[:20]) < 0).all()
    assert (np.diff(facilitating[:10]) > 0).all()


def test_a_long_rest_restores_the_first_release():
    released = train([0.02] * 30 + [20.0], *SYNAPSES["both"])
    assert released[-1] == pytest.approx(released[0], rel=1e-4)
    assert released[-2] != pytest.approx(released[0], rel=0.1)


def test_relaxation_does_not_depend_on_the_step():
    intervals = [0.02, 0.05, 0.01, 0.2]
    coarse = train(intervals, *SYNAPSES["both"], step_s=0.01)
    np.testing.assert_allclose(
        train(intervals, *SYNAPSES["both"], step_s=0.0005), coarse, rtol=1e-3
    )


def test_without_facilitation_every_spike_uses_the_same_fraction():
    released = train([0.01] * 5, 0.4, 0.0, 1e9)
    np.testing.assert_allclose(released, 0.4 * 0.6 ** np.arange(6), rtol=1e-4)


def test_silent_synapses_release_nothing_and_each_has_its_own_state():
    u, x, out = np.zeros(2, F), np.ones(2, F), np.full(2, np.nan, F)
    release(u, x, np.array([1, 0], F), F(0.5), F(0.9), F(0.9), out)
    np.testing.assert_allclose(out, [0.5, 0])
    np.testing.assert_allclose(x, [0.5, 1])
