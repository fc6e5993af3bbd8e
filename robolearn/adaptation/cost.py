"""What a brain costs while it acts: synaptic operations, as neuromorphic hardware counts them."""

import math

from robolearn.agents.protocol import Agent


def synaptic_operations_per_s(agent: Agent, spikes_per_s: float, control_step_s: float) -> float:
    """Return the synaptic operations of one brain per second of life; learning is not counted.

    A weight that is driven by a graded value costs one operation in every control step. A spike of
    a hidden unit costs one for each synapse of the read-out that it reaches, and silence nothing.

    Args:
        agent: whose genes named "...weight" are its synapses at birth; a brain of modules has them
            once for each leg.
        spikes_per_s: of all hidden units; NaN for a brain without spikes.
        control_step_s: s.
    """
    sizes = {g.name: g.shape for g in agent.genome.genes if g.name.endswith("weight")}
    modules = getattr(agent, "legs", 1)
    if math.isnan(spikes_per_s):
        return modules * sum(map(math.prod, sizes.values())) / control_step_s
    fan_out, _ = sizes.pop("readout.weight")
    graded = modules * sum(map(math.prod, sizes.values())) / control_step_s
    return graded + spikes_per_s * fan_out
