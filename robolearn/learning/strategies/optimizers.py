"""Steps that climb a noisy gradient: Adam and ClipUp, as pure functions of their moments.

Both return the displacement to *add* to the point, for ascent.
"""

import math

import numpy as np
from numpy.typing import NDArray

Vector = NDArray[np.float64]


def adam(
    gradient: Vector,
    first_moment: Vector,
    second_moment: Vector,
    *,
    step: int,
    learning_rate: float,
    decay_first: float = 0.9,
    decay_second: float = 0.999,
    epsilon: float = 1e-8,
) -> tuple[Vector, Vector, Vector]:
    """Adam with bias correction (Kingma & Ba 2015, algorithm 1), for ascent.

    Args:
        gradient: (g,).
        first_moment: running mean of the gradient, (g,); zero before the first step.
        second_moment: running mean of its square, (g,); zero before the first step.
        step: 1 for the first step.
        learning_rate: about the largest displacement of one element.
        decay_first: memory of the first moment.
        decay_second: memory of the second moment.
        epsilon: guards the division where a gradient is always zero.

    Returns:
        displacement (g,), new first moment (g,), new second moment (g,).
    """
    first_moment = decay_first * first_moment + (1 - decay_first) * gradient
    second_moment = decay_second * second_moment + (1 - decay_second) * gradient**2
    unbiased_first = first_moment / (1 - decay_first**step)
    unbiased_second = second_moment / (1 - decay_second**step)
    displacement = learning_rate * unbiased_first / (np.sqrt(unbiased_second) + epsilon)
    return displacement, first_moment, second_moment


def clip_up(
    gradient: Vector, velocity: Vector, *, learning_rate: float, max_speed: float, momentum: float
) -> Vector:
    """ClipUp (Toklu, Liskowski & Srivastava 2020): the new velocity is the step.

    v <- momentum v + learning_rate gradient / |gradient|, then shortened to |v| <= max_speed. Only
    the gradient's direction counts, so a step is a distance in the space of genomes, whatever the
    fitness measures. A zero gradient leaves only the momentum.

    Args:
        gradient: (g,).
        velocity: displacement of the step before, (g,); zero before the first step.
        learning_rate: length of the normalised gradient's contribution, in units of search.
        max_speed: longest step, in units of search.
        momentum: share of the velocity that is kept.

    Returns:
        velocity = displacement, (g,).
    """
    norm = _length(gradient)
    direction = gradient / norm if norm > 0 else np.zeros_like(gradient)
    velocity = momentum * velocity + learning_rate * direction
    speed = _length(velocity)
    return velocity * (max_speed / speed) if speed > max_speed else velocity


def _length(vector: Vector) -> float:
    """Return |v|, in the same bits at any number of threads: BLAS would sum in its own order."""
    return math.sqrt(np.square(vector).sum())
