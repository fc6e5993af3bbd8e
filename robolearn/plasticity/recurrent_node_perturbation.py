"""Node perturbation in a recurrent network that acts for a whole trial before it is judged.

Source: Miconi 2017 (eLife, "Biologically plausible learning in recurrent neural networks reproduces
neural dynamics observed during cognitive tasks"), as the author's code has it. The network itself,
τ dx/dt = -x + J r + ξ with occasional perturbations ξ, belongs to the agent. One step of it:

    deviation = x - x̄                 with the OLD running mean x̄
    e_ij ← e_ij + (r_j(t-1) Δx_i)³      `accumulate_cubed`
    x̄ ← 0.05 x̄ + 0.95 x                 `running_mean` with keep = 0.05

and at the end of a trial of error E, with Ē the mean error of trials of its type before it:

    ΔJ = clip(-η |Ē| e (E - Ē), ±limit) `learn_from_trial`
    Ē ← 0.75 Ē + 0.25 E

Claims: these equations, and that a trial whose error equals the expected one changes nothing. There
is no claim of a gradient: the cube lets rare large perturbations count and mutes the relaxation
that follows them, and it is a heuristic. Without it (the control) the deviations around a running
mean nearly cancel over a trial.

Traps: the mean in the deviation and the mean error in the update are both those from before. The
author's errors are never below 0, and Ē stands where |Ē| does here: in a task that pays, E = -R is
below 0, and the rule as written would learn the opposite. The mean error is kept per trial type, so
the learner is told the type: disclose it. The author makes no updates for the first 100 trials,
while Ē settles (`rate` 0 does that), and clears e at the start of every trial, which is the
caller's to do.
"""

import numpy as np

from robolearn.neurons.compilation import compiled
from robolearn.plasticity.bounds import bound

DEVIATION_KEEP = 0.05
"""How much of the mean activity x̄ the author keeps a step."""

ERROR_KEEP = 0.75
"""How much of the mean error R̄ the author keeps a trial."""


@compiled
def accumulate_cubed(eligibility, deviation, pre):
    """Add (Δx_i r_j)³ to the trace of one individual, in place.

    Args:
        eligibility: (post, pre) float32, e, zero at the start of a trial.
        deviation: (post,) float32, Δx = x - x̄ with the mean from before this step.
        pre: (pre,) float32, r of the step before.
    """
    for i in range(eligibility.shape[0]):
        trace, delta = eligibility[i], deviation[i]
        for j in range(eligibility.shape[1]):
            product = delta * pre[j]
            trace[j] += product * product * product


@compiled
def running_mean(mean, value, keep):
    """Move a running mean (k,) towards a value (k,), in place: m ← k m + (1 - k) v.

    Args:
        mean: (k,) float32.
        value: (k,) float32.
        keep: float32 in [0, 1], weight of what was.
    """
    fresh = np.float32(1.0) - keep
    for i in range(mean.shape[0]):
        mean[i] = keep * mean[i] + fresh * value[i]


@compiled
def learn_from_trial(weight, eligibility, error, mean_error, trial_type, rate, limit_per_step):
    """Change the weights of one individual at the end of a trial, then move its mean error.

    Args:
        weight: (post, pre) float32, J, changed in place.
        eligibility: (post, pre) float32, e of the trial; left as it is.
        error: float32, E of the trial, less is better.
        mean_error: (types,) float32, Ē, of which that of `trial_type` moves in place.
        trial_type: integer.
        rate: float32, η, in units of weight / (error² e).
        limit_per_step: float32, bound on |ΔJ| of one trial; the author's is 1e-4.
    """
    expected = mean_error[trial_type]
    gain = -rate * abs(expected) * (error - expected)
    for i in range(weight.shape[0]):
        w, trace = weight[i], eligibility[i]
        for j in range(weight.shape[1]):
            w[j] += bound(gain * trace[j], limit_per_step)
    mean_error[trial_type] = ERROR_KEEP * expected + (1 - ERROR_KEEP) * error
