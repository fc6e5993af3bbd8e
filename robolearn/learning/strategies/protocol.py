"""What every evolution strategy offers: ask for genomes, tell their fitness, save the whole state.

A strategy keeps no random generator. The noise of generation t is a pure function of (seed, t), so
its state is a handful of arrays and a resumed search ends in the bits of one that never stopped.
"""

from collections.abc import Mapping
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

Array = NDArray[Any]
State = dict[str, Array]


class Strategy(Protocol):
    """A search distribution over flat genomes, moved towards higher fitness.

    The order is ask, tell, ask, tell. `ask` may be repeated, and gives the same genomes until
    `tell`; the state may be saved and loaded at any point between the two.
    """

    # The frozen dataclass of the hyperparameters; the constructor takes (mean0, seed, config).
    config_class: type

    def __init__(self, mean0: Array, seed: int, config: Any) -> None:
        """Start at the genome `mean0` (g,), in units of search."""
        ...

    @property
    def population(self) -> int:
        """Number of genomes of a generation."""
        ...

    @property
    def generation(self) -> int:
        """Number of generations told so far."""
        ...

    @property
    def mean(self) -> NDArray[np.float64]:
        """A copy of the centre of the search distribution, shape (g,), in units of search."""
        ...

    def ask(self) -> NDArray[np.float32]:
        """Return the genomes of this generation, shape (population, g), in units of search."""
        ...

    def tell(self, fitness: Array) -> None:
        """Move the distribution by the `fitness` (population,) of the genomes asked for.

        Higher is better. NaN counts as the worst.

        Raises:
            ValueError: the shape is wrong, or every fitness is NaN.
        """
        ...

    def state(self) -> State:
        """Return copies of all that the rest of the search depends on, seed included."""
        ...

    def load_state(self, state: Mapping[str, Array]) -> None:
        """Go on from a saved state; hyperparameters and genome size must be those of the saver.

        Raises:
            ValueError: an array is missing, unknown, or of the wrong shape.
        """
        ...


def copy_matching(state: Mapping[str, Array], template: Mapping[str, Array]) -> State:
    """Return copies of the arrays of `state`, which must have `template`'s names and shapes.

    Raises:
        ValueError: an array is missing, unknown, or of the wrong shape.
    """
    if set(state) != set(template):
        raise ValueError(f"the saved state holds {sorted(state)}, expected {sorted(template)}")
    for name, expected in template.items():
        if state[name].shape != expected.shape:
            raise ValueError(
                f"the saved state's {name!r} has shape {state[name].shape}, "
                f"expected {expected.shape}"
            )
    return {name: np.array(state[name], expected.dtype) for name, expected in template.items()}
