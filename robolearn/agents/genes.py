"""The genes that the families share, and the reasons for their scales.

One unit of search is one standard deviation of a first weight, so that a step of σ = 0.1 changes
every unit's input by a tenth of what it is, whatever the width of the layer below. A unit of a
coefficient of a rule changes a unit's input by about a tenth of what it is within a second of
typical activity, unless `rule_speed` says otherwise: in a life of ten seconds, a step in a
coefficient and one in a weight count alike.

A matrix of coefficients of low rank is a product of two genes (post, r) and (r, pre). One of them
starts close to zero and the other does not, so that the product is as close to zero as coefficients
of single synapses are, and its slope is not: a unit of search in the first changes each coefficient
by as much as there, and as the first grows, so does what a unit in the second changes.
"""

from itertools import pairwise
from typing import Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray

from robolearn.agents.protocol import Float, Gene, Parameters

Granularity = Literal["synapse", "neuron", "layer"]
RuleGranularity = Literal["synapse", "neuron", "layer", "low_rank"]

ABCD_NAMES = ("eta", "A", "B", "C", "D")
STDP_NAMES = ("A_plus", "A_minus")


class Coefficients(NamedTuple):
    """How the coefficients of a rule are laid out as genes.

    Attributes:
        granularity: whom a set of coefficients belongs to, or that each matrix is a product.
        rank: r of that product.
        speed: by how many of its units of search a weight changes in a second of typical activity
            when a coefficient is one unit of search, 1/s.
    """

    granularity: RuleGranularity
    rank: int
    speed: float


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


def network_genes(sizes: NDArray[np.int64]) -> tuple[Gene, ...]:
    """Return weights and biases of layers of `sizes`, from input to output, `layer_0` first.

    The last layer starts small, so that motors start gently.
    """
    genes: list[Gene] = []
    last = len(sizes) - 2
    for layer, (pre, post) in enumerate(pairwise(sizes.tolist())):
        gain, std = (0.5, QUIET) if layer == last else (1.0, 1.0)
        genes += layer_genes(
            f"layer_{layer}", post, pre, gain=gain, bias_scale=0.3, initial_std=std
        )
    return tuple(genes)


def coefficient_shape(granularity: RuleGranularity, post: int, pre: int) -> tuple[int, int]:
    """Return (p, q): how many sets of coefficients a layer of (post, pre) synapses has."""
    whole = (post, pre)
    return {"synapse": whole, "low_rank": whole, "neuron": (post, 1), "layer": (1, 1)}[granularity]


def abcd_genes(
    name: str, layout: Coefficients, layer: tuple[Gene, Gene], activity: tuple[float, float]
) -> tuple[Gene, ...]:
    """Return the genes η, A, B, C, D of one layer; η in 1/s, the others in units of weight.

    η starts at one and the others close to zero: the first brains hardly change in life, and the
    slope in A..D is not zero, as it would be if η started at zero too.

    Args:
        name: prefix of the parameter names.
        layout: of the coefficients.
        layer: the genes of the weights and biases that the rule changes.
        activity: typical |x| and |y|.
    """
    x, y = activity
    change = _change_per_s(layout, layer[0])
    scales = {"A": change / (x * y), "B": change / x, "C": change / y, "D": change}
    others = (_small(f"{name}.{k}", layout, layer[0], scale) for k, scale in scales.items())
    return (*_rate(f"{name}.eta", layout, layer[0]), *(gene for pair in others for gene in pair))


def stdp_genes(
    name: str, layout: Coefficients, layer: tuple[Gene, Gene], pairs_per_s: float
) -> tuple[Gene, ...]:
    """Return the genes A₊ and A₋ of one layer, close to zero at first, in weight per pair.

    Args:
        name: prefix of the parameter names.
        layout: of the coefficients.
        layer: the genes of the weights and biases that the rule changes.
        pairs_per_s: typical Σ |pre event · post event| within the window, per second.
    """
    scale = _change_per_s(layout, layer[0]) / pairs_per_s
    pairs = (_small(f"{name}.{k}", layout, layer[0], scale) for k in STDP_NAMES)
    return tuple(gene for pair in pairs for gene in pair)


def expand(genes: Parameters, name: str) -> Float:
    """Return the coefficients (n, p, q) of that name, products of low rank multiplied out."""
    if name in genes:
        return genes[name]
    post, pre = genes[f"{name}.post"], genes[f"{name}.pre"]  # (n, post, r), (n, r, pre)
    product = np.zeros((len(post), post.shape[1], pre.shape[2]), np.float32)
    for k in range(post.shape[2]):  # in this order, which no BLAS decides
        product += post[:, :, k, None] * pre[:, k, None, :]
    return product


def _small(name: str, layout: Coefficients, weight: Gene, scale: float) -> tuple[Gene, ...]:
    """Return the genes of coefficients that are close to zero at first."""
    post, pre = weight.shape
    if layout.granularity != "low_rank":
        shape = coefficient_shape(layout.granularity, post, pre)
        return (Gene(name, shape, scale=scale, initial_std=0.1),)
    return (
        Gene(f"{name}.post", (post, layout.rank), scale / layout.rank**0.5, initial_std=0.1),
        Gene(f"{name}.pre", (layout.rank, pre), initial_std=1.0),
    )


def _rate(name: str, layout: Coefficients, weight: Gene) -> tuple[Gene, ...]:
    """Return the genes of a rate, which is about one at first."""
    post, pre = weight.shape
    if layout.granularity != "low_rank":
        shape = coefficient_shape(layout.granularity, post, pre)
        return (Gene(name, shape, initial_std=0.1, initial_mean=1.0),)
    return (
        Gene(f"{name}.post", (post, layout.rank), 1 / layout.rank, 0.1, initial_mean=1.0),
        Gene(f"{name}.pre", (layout.rank, pre), initial_std=0.1, initial_mean=1.0),
    )


def _change_per_s(layout: Coefficients, weight: Gene) -> float:
    """Return the change of a weight in a second that one unit of search of a coefficient makes.

    Coefficients that synapses share change the weights of a unit in step, and the changes add up in
    its input instead of averaging out.
    """
    change = layout.speed * weight.scale
    shared = layout.granularity in ("neuron", "layer")
    return change / weight.shape[1] ** 0.5 if shared else change
