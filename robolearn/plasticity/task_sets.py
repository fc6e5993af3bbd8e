"""Task sets: disappointment that lasts brings up another set of what was learned.

A brain that relearns in one set of synapses has to forget before it can learn anew. This one keeps
several sets, of which one acts and learns, and with M the reward prediction error of a trial

    m ← m + ρ (M - m),   and where m < -θ the next set acts from now on and m ← 0

in a circle. A set that was never used is naive; one that was is taken up as it was left, together
with the rewards it expects. So who meets an old change again need not learn it again (savings).

Sources: Bouret & Sara 2005 (Trends in Neurosciences) and Yu & Dayan 2005 (Neuron), noradrenaline as
a signal of unexpected change that resets networks; Collins & Koechlin 2012 (PLoS Biology), reward
that is worse than the acting set promises makes people try another; Lee & Schweighofer 2009
(Journal of Neuroscience), motor memories kept apart by context. The exponential mean, the fixed
threshold and the circle are ours, the simplest that need no knowledge of what changed.

Claims: where M stays at -a < -θ, from m = 0, the switch comes in trial ⌈ln(1 - θ/a) / ln(1 - ρ)⌉;
good news and disappointment up to θ never switch. The rule hears nothing but the reward.
"""

from robolearn.neurons.compilation import compiled


@compiled
def choose_set(surprise, task_set, error, rate, threshold, sets):
    """Let one individual judge its set by a trial: move m, and go on to the next set if need be.

    Args:
        surprise: (1,) float32, m, in units of reward, zero at birth; changed in place.
        task_set: (1,) int64, the acting set, changed in place.
        error: float32, M, what came minus what the acting set expected.
        rate: float32 in [0, 1], ρ.
        threshold: float32 > 0, θ, in units of reward.
        sets: how many there are.
    """
    surprise[0] += rate * (error - surprise[0])
    if surprise[0] < -threshold:
        surprise[0] = 0.0
        task_set[0] = (task_set[0] + 1) % sets
