"""Evolution strategies by name: `make_strategy("openai_es", mean0, seed=0, population=256)`."""

from dataclasses import fields
from typing import Any

import numpy as np
from numpy.typing import NDArray

from robolearn.errors import UserError, unknown_name
from robolearn.learning.strategies.cma_es import CMAES, CMAESConfig
from robolearn.learning.strategies.genetic import Genetic, GeneticConfig
from robolearn.learning.strategies.openai_es import OpenAIES, OpenAIESConfig
from robolearn.learning.strategies.pgpe import PGPE, PGPEConfig
from robolearn.learning.strategies.protocol import Strategy
from robolearn.learning.strategies.ranking import centred_ranks
from robolearn.learning.strategies.sep_cma_es import SepCMAES, SepCMAESConfig
from robolearn.learning.strategies.snes import SNES, SNESConfig
from robolearn.learning.strategies.unchanged import Unchanged

__all__ = [
    "CMAES",
    "PGPE",
    "SNES",
    "STRATEGIES",
    "CMAESConfig",
    "Genetic",
    "GeneticConfig",
    "OpenAIES",
    "OpenAIESConfig",
    "PGPEConfig",
    "SNESConfig",
    "SepCMAES",
    "SepCMAESConfig",
    "Strategy",
    "centred_ranks",
    "make_strategy",
    "register",
]

# Name in a config -> class; its `config_class` is the dataclass of its hyperparameters.
STRATEGIES: dict[str, type[Strategy]] = {}


def register(name: str, strategy: type[Strategy]) -> None:
    """Make a strategy available under `name`.

    Raises:
        UserError: the name is taken.
    """
    if name in STRATEGIES:
        raise UserError(f"strategy {name!r} is already registered ({STRATEGIES[name].__name__})")
    STRATEGIES[name] = strategy


def make_strategy(kind: str, mean0: NDArray[Any], seed: int, **hyper: Any) -> Strategy:
    """Build the strategy `kind`, centred on the genome `mean0` (g,), in units of search.

    Args:
        kind: a registered name, such as "openai_es" or "pgpe".
        mean0: the first mean, finite, (g,) with g >= 1.
        seed: keys all noise of the search; 0 <= seed < 2^63.
        hyper: fields of the kind's `config_class`; what is left out has its default.

    Raises:
        UserError: the kind, a hyperparameter's name or value, or the seed is not valid.
        ValueError: `mean0` is not a finite vector.
    """
    if kind not in STRATEGIES:
        raise unknown_name("strategy", kind, STRATEGIES)
    strategy = STRATEGIES[kind]
    valid = [field.name for field in fields(strategy.config_class)]
    for name in hyper:
        if name not in valid:
            raise unknown_name(f"hyperparameter of {kind}", name, valid)
    if not 0 <= seed < 2**63:
        raise UserError(f"seed: got {seed}, expected 0 <= seed < 2^63")
    if np.ndim(mean0) != 1 or np.size(mean0) == 0 or not np.isfinite(mean0).all():
        raise ValueError(f"mean0: expected a finite vector (g,), got shape {np.shape(mean0)}")
    return strategy(mean0, seed, strategy.config_class(**hyper))


register("cma_es", CMAES)
register("genetic", Genetic)
register("openai_es", OpenAIES)
register("pgpe", PGPE)
register("sep_cma_es", SepCMAES)
register("snes", SNES)
register("unchanged", Unchanged)
