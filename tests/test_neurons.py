"""Neurons do what their docstrings claim."""

import importlib
import importlib.util
import math
import os
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import numba
import numpy as np
import pytest

from robolearn.neurons import compilation
from robolearn.neurons.encoder import INPUT_LIMIT, encode, signed_current
from robolearn.neurons.homeostasis import LOWEST_THRESHOLD, homeostatic_threshold
from robolearn.neurons.lif import (
    adapt,
    adaptive_threshold,
    decay,
    filter_spike,
    fire,
    integrate_membrane,
)
from robolearn.neurons.noise import draw_keys, normal_at
from robolearn.neurons.rate import logistic, rate_layer
from robolearn.plasticity.neuromodulated import learn_retroactive
from robolearn.plasticity.r_stdp import accumulate_stdp
from robolearn.plasticity.stdp import learn_stdp

F = np.float32
TAU_S = 0.02


def spike_train(current, steps, step_s, threshold: Any = 1.0, strength=0.0):
    """Return the spikes of one unit under a constant current."""
    alpha, rho = decay(step_s, TAU_S), decay(step_s, 0.2)
    potential, adaptation, spikes = F(0), F(0), []
    for _ in range(steps):
        potential = integrate_membrane(potential, F(current), alpha)
        limit = adaptive_threshold(F(threshold), adaptation, F(strength))
        spike, potential = fire(F(potential), F(limit))
        adaptation = adapt(adaptation, F(spike), rho)
        spikes.append(spike)
    return np.array(spikes)


@pytest.mark.parametrize("steps", [1, 4, 100])
def test_membrane_without_input_decays_exponentially_whatever_the_step(steps):
    potential, duration_s = F(0.8), 0.03
    for _ in range(steps):
        potential = integrate_membrane(potential, F(0), decay(duration_s / steps, TAU_S))
    assert potential == pytest.approx(0.8 * math.exp(-duration_s / TAU_S), rel=1e-5)


def test_membrane_approaches_its_current():
    potential = F(0)
    for _ in range(200):
        potential = integrate_membrane(potential, F(0.7), decay(0.001, TAU_S))
    assert potential == pytest.approx(0.7 * (1 - math.exp(-0.2 / TAU_S)), rel=1e-5)


@pytest.mark.parametrize("current", [1.1, 1.5, 3.0, 10.0])
def test_lif_fires_at_the_analytic_rate(current):
    step_s, steps = 1e-4, 20_000
    period_s = TAU_S * math.log(current / (current - 1.0))
    expected = steps / math.ceil(period_s / step_s)  # spikes fall at the end of a step
    assert spike_train(current, steps, step_s).sum() == pytest.approx(expected, abs=1)


def test_lif_below_its_threshold_never_fires():
    assert spike_train(0.99, 5000, 1e-3).sum() == 0


def test_spike_resets_the_membrane():
    assert fire(F(1.2), F(1.0)) == (1.0, 0.0)
    assert fire(F(0.9), F(1.0)) == (0.0, pytest.approx(0.9))


def test_adaptation_lowers_the_rate_and_lengthens_intervals():
    plain = spike_train(2.0, 2000, 1e-3)
    adaptive = spike_train(2.0, 2000, 1e-3, strength=0.1)
    intervals = np.diff(np.flatnonzero(adaptive))
    assert 0 < adaptive.sum() < 0.8 * plain.sum()
    assert intervals[-1] > intervals[0]


def test_adaptation_of_one_spike_fades_with_its_time_constant():
    rho = decay(0.005, 0.2)
    adaptation = adapt(F(0), F(1), rho)
    raised = adaptive_threshold(F(1), adaptation, F(0.3))
    for _ in range(40):  # 0.2 s, one time constant
        adaptation = adapt(adaptation, F(0), rho)
    assert raised == pytest.approx(1.3)
    assert adaptation == pytest.approx(math.exp(-1), rel=1e-4)


def test_filtered_spikes_estimate_the_rate():
    trace, gamma, seen = F(0), decay(0.005, 0.1), []
    for k in range(2000):
        trace = filter_spike(trace, F(k % 5 == 0), gamma)
        seen.append(trace)
    assert np.mean(seen[500:]) == pytest.approx(0.2, rel=1e-2)


def test_homeostasis_raises_the_threshold_of_a_busy_unit():
    assert homeostatic_threshold(F(1), F(0.5), F(0.2), F(0.1)) == pytest.approx(1.03)
    assert homeostatic_threshold(F(1), F(0.0), F(0.2), F(0.1)) == pytest.approx(0.98)


@pytest.mark.parametrize("threshold", [0.2, 5.0])
def test_homeostasis_reaches_its_target_from_both_sides(threshold):
    step_s, target, rates = 0.002, 0.1, []
    for _ in range(400):
        rate = spike_train(3.0, 50, step_s, threshold).mean()
        rates.append(rate)
        threshold = homeostatic_threshold(F(threshold), F(rate), F(target), F(0.2))
    side = rates[0] - target
    assert abs(side) > 0.08
    assert np.mean(rates[-50:]) == pytest.approx(target, abs=0.02)


def test_homeostasis_keeps_the_threshold_above_the_reset():
    threshold = F(1)
    for _ in range(1000):
        threshold = homeostatic_threshold(threshold, F(0), F(0.2), F(0.1))
    assert threshold == LOWEST_THRESHOLD > 0


def test_encoder_divides_by_the_typical_magnitude_and_bounds():
    assert signed_current(F(3), F(0.5)) == 1.5
    assert signed_current(F(1e30), F(1)) == INPUT_LIMIT
    assert signed_current(F(-np.inf), F(1)) == -INPUT_LIMIT


def test_encoder_gives_no_current_for_nan():
    out = np.empty(3, np.float32)
    encode(np.array([np.nan, 1, np.nan], np.float32), np.ones(3, np.float32), out)
    assert out.tolist() == [0, 1, 0]


def test_rate_layer_is_tanh_of_the_weighted_sum():
    rng = np.random.default_rng(0)
    weight, bias, x = (rng.standard_normal(s).astype(F) for s in ((7, 33), (7,), (33,)))
    out = np.empty(7, np.float32)
    rate_layer(weight, bias, x, out)
    np.testing.assert_allclose(out, np.tanh(weight @ x + bias), rtol=1e-5, atol=1e-6)


def test_logistic_does_not_overflow():
    assert logistic(F(0)) == 0.5
    assert logistic(F(-1e4)) == 0.0
    assert logistic(F(1e4)) == 1.0
    assert logistic(F(0.7)) == pytest.approx(1 / (1 + math.exp(-0.7)), rel=1e-6)


def test_fast_math_keeps_nan_and_infinity():
    assert not compilation.FAST_MATH & {"nnan", "ninf", "fast"}


@pytest.mark.skipif("NUMBA_THREADING_LAYER" in os.environ, reason="the user chose a layer")
@pytest.mark.skipif(compilation.config.NUMBA_NUM_THREADS == 1, reason="no second thread")
def test_threads_sleep_between_kernels():
    fill = compilation.kernel(_fill)
    out = np.zeros(2_000_000)
    busy = []  # share of an idle time that the process used a core
    for _ in range(6):
        fill(out)
        before, started = time.process_time(), time.perf_counter()
        time.sleep(0.02)
        busy.append((time.process_time() - before) / (time.perf_counter() - started))
    assert out[-1] == len(out) - 1
    assert min(busy) < 0.1


@pytest.mark.parametrize("policy", [None, "ACTIVE"])
def test_without_openmp_the_workqueue_serves_and_a_policy_of_the_users_stays(monkeypatch, policy):
    def no_library(name):
        raise ImportError(name)

    monkeypatch.delenv("NUMBA_THREADING_LAYER", raising=False)
    monkeypatch.delenv("OMP_WAIT_POLICY", raising=False)
    if policy:
        monkeypatch.setenv("OMP_WAIT_POLICY", policy)
    monkeypatch.setattr(sys, "platform", "linux")
    monkeypatch.setattr(compilation.config, "THREADING_LAYER", "nothing yet")
    compilation.choose_threads()
    assert compilation.config.THREADING_LAYER in {"omp", "workqueue"}
    monkeypatch.setattr(importlib, "import_module", no_library)
    compilation.choose_threads()
    assert compilation.config.THREADING_LAYER == "workqueue"
    assert os.environ["OMP_WAIT_POLICY"] == (policy or "PASSIVE")


def test_the_workqueue_serves_on_other_systems(monkeypatch):
    monkeypatch.delenv("NUMBA_THREADING_LAYER", raising=False)
    monkeypatch.delenv("OMP_WAIT_POLICY", raising=False)
    monkeypatch.setattr(compilation.config, "THREADING_LAYER", "nothing yet")
    monkeypatch.setattr(sys, "platform", "darwin")
    compilation.choose_threads()
    assert compilation.config.THREADING_LAYER == "workqueue"
    assert "OMP_WAIT_POLICY" not in os.environ


def test_the_users_threading_layer_stays(monkeypatch):
    monkeypatch.setenv("NUMBA_THREADING_LAYER", "tbb")
    monkeypatch.setattr(compilation.config, "THREADING_LAYER", "as it was")
    compilation.choose_threads()
    assert compilation.config.THREADING_LAYER == "as it was"


_FORK = """
import os, sys, threading, time
import numba, numpy as np
from robolearn.neurons import compilation

@compilation.kernel
def square(out):
    for i in numba.prange(out.shape[0]):
        out[i] = i * i

out = np.zeros(2_000_000)  # enough for several threads
BEFORE
child = os.fork()
if not child:
    out[:] = 0
    square(out)
    os._exit(0 if out[1000] == 1_000_000 else 1)
while threading.active_count() > 1:
    time.sleep(0.01)
sys.exit(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))
"""
_HELD = """
held = threading.Event()
def hold():
    with compilation._one_launch_at_a_time:
        held.set()
        time.sleep(0.5)
threading.Thread(target=hold).start()
held.wait()
"""


@pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork on this system")
@pytest.mark.parametrize("before", ["square(out)", "numba.set_num_threads(1)", "pass", _HELD])
@pytest.mark.parametrize("layer", [None, "workqueue"])
def test_a_forked_child_can_run_kernels(tmp_path, before, layer):
    script = tmp_path / "fork.py"
    script.write_text(_FORK.replace("BEFORE", before))
    env = dict(os.environ) if layer is None else {**os.environ, "NUMBA_THREADING_LAYER": layer}
    subprocess.run([sys.executable, script], check=True, timeout=120, env=env)


SLOW = decay(0.005, 0.2)
QUIET_STEPS = 4000  # of e^-100 in all


@pytest.mark.parametrize("silent", ["pre", "post"])
def test_traces_of_silent_units_reach_zero(silent):
    one, none = np.ones(1, F), np.zeros(1, F)
    trace = F(1)
    pre_trace, post_trace, weight = np.ones(1, F), np.ones(1, F), np.zeros((1, 1), F)
    coefficients = np.ones((2, 1, 1), F)
    pre, post = (none, one) if silent == "pre" else (one, none)
    for _ in range(QUIET_STEPS):
        trace = F(filter_spike(F(trace), F(0), SLOW))
        learn_stdp(
            weight, pre, post, pre_trace, post_trace, coefficients, SLOW, SLOW, True, True, F(1)
        )
    assert trace == 0
    assert (pre_trace if silent == "pre" else post_trace).tolist() == [0]
    assert math.isnan(filter_spike(F(np.nan), F(0), SLOW))


def test_eligibility_of_silent_units_reaches_zero():
    none, ones = np.zeros(1, F), np.ones((1, 1), F)
    by_pairs, retroactive, weight = ones.copy(), ones.copy(), ones.copy()
    coefficients = np.ones((2, 1, 1), F)
    for _ in range(QUIET_STEPS):
        accumulate_stdp(
            by_pairs, none, none, none.copy(), none.copy(), coefficients, SLOW, SLOW, SLOW
        )
        learn_retroactive(weight, retroactive, none, none, none, F(1) - SLOW, F(1))
    assert by_pairs.tolist() == retroactive.tolist() == [[0]]


def test_a_fading_trace_is_exact_until_it_is_negligible():
    adaptation, expected = F(1), F(1)
    while expected > 1e-19:
        adaptation, expected = F(adapt(adaptation, F(0), SLOW)), F(SLOW * expected)
        assert adaptation == expected


def test_kernel_without_a_cache_warns_once_and_still_works(monkeypatch):
    njit = numba.njit

    def refuse_cache(**options):
        if options.pop("cache", False):
            raise RuntimeError("cannot cache function '_fill': no locator available")
        return njit(**options)

    monkeypatch.setattr(numba, "njit", refuse_cache)
    monkeypatch.setattr(compilation, "_warned", False)
    with pytest.warns(RuntimeWarning, match="NUMBA_CACHE_DIR") as caught:
        fills = [compilation.kernel(_fill) for _ in range(2)]
    out = np.zeros(4)
    fills[1](out)
    assert len(caught) == 1
    assert out.tolist() == [0, 1, 2, 3]


def test_kernel_gives_the_user_back_their_number_of_threads():
    before = numba.get_num_threads()
    compilation.kernel(_fill)(np.zeros(4))
    assert numba.get_num_threads() == before


@pytest.mark.parametrize("room", ["neurons", "plasticity", "agents"])
def test_machine_code_older_than_the_neurons_is_forgotten(tmp_path, monkeypatch, room):
    monkeypatch.delenv("NUMBA_CACHE_DIR", raising=False)
    source = tmp_path / "cached_module.py"
    source.write_text("def double(x):\n    for i in range(x.size):\n        x[i] *= 2\n")
    spec = importlib.util.spec_from_file_location("cached_module", source)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    dispatcher = numba.njit(cache=True)(module.double)
    dispatcher(np.ones(2))
    (index,) = Path(str(dispatcher.stats.cache_path)).glob("cached_module.double-*.nbi")
    package = tmp_path / "package"
    sources = [package / part / "part.py" for part in ("neurons", "plasticity", "agents")]
    for part in sources:
        part.parent.mkdir(parents=True)
        part.touch()
        os.utime(part, (1000, 1000))
    os.utime(index, (1500, 1500))
    monkeypatch.setattr(compilation, "__file__", str(package / "neurons" / "compilation.py"))
    compilation._forget_outdated(dispatcher)
    assert index.exists()
    os.utime(package / room / "part.py", (2000, 2000))
    compilation._forget_outdated(dispatcher)
    assert not index.exists()


def _fill(out):
    for i in numba.prange(out.shape[0]):
        out[i] = i


def test_noise_is_standard_normal_and_uncorrelated_over_steps_and_elements():
    draws = np.array([[normal_at(np.uint64(7), t, j) for j in range(4)] for t in range(20_000)])
    assert np.abs(draws.mean(axis=0)).max() < 0.03  # 4 standard errors
    assert np.abs(draws.std(axis=0) - 1).max() < 0.02
    assert np.abs(np.corrcoef(draws.T) - np.eye(4)).max() < 0.03
    assert abs(np.corrcoef(draws[:-1, 0], draws[1:, 0])[0, 1]) < 0.03
    assert normality(draws.ravel()) > 1e-3


def normality(draws):
    """Return the p-value of the Kolmogorov-Smirnov test, from its asymptotic series."""
    n = len(draws)
    theory = np.array([0.5 * (1 + math.erf(x / math.sqrt(2))) for x in np.sort(draws)])
    gap = max((np.arange(1, n + 1) / n - theory).max(), (theory - np.arange(n) / n).max())
    x = gap * math.sqrt(n)
    return 2 * sum((-1) ** (k - 1) * math.exp(-2 * (k * x) ** 2) for k in range(1, 50))


def test_noise_depends_on_key_step_and_element_alone():
    numbers = {float(normal_at(np.uint64(k), t, j)) for k in (1, 2) for t in (0, 1) for j in (0, 1)}
    assert len(numbers) == 8
    assert normal_at(np.uint64(1), 3, 5) == normal_at(np.uint64(1), 3, 5)


def test_every_newborn_draws_its_own_key():
    keys = draw_keys([np.random.default_rng(i) for i in range(5)])
    assert keys.dtype == np.uint64
    assert len(set(keys.tolist())) == 5
