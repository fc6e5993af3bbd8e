"""The genes that the families share, and the reasons for their scales.

One unit of search is one standard deviation of a first weight, so that a step of σ = 0.1 changes
every unit's input by a tenth of what it is, whatever the width of the layer below. A unit of a
coefficient of a rule changes a unit's input by about a tenth of what it is within a second of
typical activity: in a life of ten seconds, a step in a coefficient and one in a weight count alike.
"""

from typing import Literal

from robolearn.agents.protocol import Gene

Granularity = Literal["synapse", "neuron", "layer"]

ABCD_NAMES = ("eta", "A", "B", "C", "D")
STDP_NAMES = ("A_plus", "A_minus")


# First read-outs are quiet: a body that falls at once teaches a search only to fall a little later,
# one that stands and fidgets has everything to gain.
QUIET = 0.3


def layer_genes(
    name: str,
    post: int,
    pre: int,
    *,
    gain: float,
    bias_scale: float,
    bias_mean: float = 0.0,
    initial_std: float = 1.0,
) -> tuple[Gene, Gene]:
    """Return the weight (post, pre) and bias (post,) of a layer.

    Args:
        name: prefix of the parameter names.
        post: number of units.
        pre: number of inputs.
        gain: standard deviation of the summed input of a unit for inputs of unit variance.
        bias_scale: one unit of search of the bias, in units of the summed input.
        bias_mean: first bias, in units of the summed input.
        initial_std: standard deviation of the first weights, in units of search.
    """
    return (
        Gene(f"{name}.weight", (post, pre), scale=gain / pre**0.5, initial_std=initial_std),
        Gene(f"{name}.bias", (post,), scale=bias_scale, initial_mean=bias_mean / bias_scale),
    )


def coefficient_shape(granularity: Granularity, post: int, pre: int) -> tuple[int, int]:
    """Return (p, q): how many sets of coefficients a layer of (post, pre) synapses has."""
    return {"synapse": (post, pre), "neuron": (post, 1), "layer": (1, 1)}[granularity]


def abcd_genes(
    name: str, granularity: Granularity, layer: tuple[Gene, Gene], activity: tuple[float, float]
) -> tuple[Gene, ...]:
    """Return the genes η, A, B, C, D of one layer; η in 1/s, the others in units of weight.

    η starts at one and the others close to zero: the first brains hardly change in life, and the
    slope in A..D is not zero, as it would be if η started at zero too.

    Args:
        name: prefix of the parameter names.
        granularity: whom a set of coefficients belongs to.
        layer: the genes of the weights and biases that the rule changes.
        activity: typical |x| and |y|.
    """
    x, y = activity
    shape = coefficient_shape(granularity, *layer[0].shape)
    change = _change_per_s(granularity, layer[0])
    scales = {"A": change / (x * y), "B": change / x, "C": change / y, "D": change}
    eta = Gene(f"{name}.eta", shape, scale=1.0, initial_mean=1.0, initial_std=0.1)
    others = (Gene(f"{name}.{k}", shape, scale=s, initial_std=0.1) for k, s in scales.items())
    return (eta, *others)


def stdp_genes(
    name: str, granularity: Granularity, layer: tuple[Gene, Gene], pairs_per_s: float
) -> tuple[Gene, ...]:
    """Return the genes A₊ and A₋ of one layer, close to zero at first, in weight per pair.

    Args:
        name: prefix of the parameter names.
        granularity: whom a set of coefficients belongs to.
        layer: the genes of the weights and biases that the rule changes.
        pairs_per_s: typical Σ |pre event · post event| within the window, per second.
    """
    shape = coefficient_shape(granularity, *layer[0].shape)
    scale = _change_per_s(granularity, layer[0]) / pairs_per_s
    return tuple(Gene(f"{name}.{k}", shape, scale=scale, initial_std=0.1) for k in STDP_NAMES)


def _change_per_s(granularity: Granularity, weight: Gene) -> float:
    """Return the change of a weight in a second that one unit of search of a coefficient makes.

    Coefficients that synapses share change the weights of a unit in step, and the changes add up in
    its input instead of averaging out.
    """
    change = 0.1 * weight.scale
    return change if granularity == "synapse" else change / weight.shape[1] ** 0.5
