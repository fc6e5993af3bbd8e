"""What may happen in the lives of a generation: stages, and severities that follow the falls."""

import numpy as np
from numpy.typing import NDArray

from robolearn.envs.vector_env import RobotVectorEnv
from robolearn.shifts import ShiftPlan, onsets_s, plans_at

# Shares of falls in the lives that meet a shift: up to the first it grows, above the other
# it shrinks. Around a half, since there the lives of a pair differ most.
FEW_FALLS, MANY_FALLS = 0.4, 0.6
STEP = 0.01  # of severity, a generation


class Curriculum:
    """The shifts of a training, each only as severe as it is survived.

    A plan that has a `mildest` form begins with it, at severity 0, and comes to its own values at
    severity 1. After each generation in which it may happen, its severity rises by `STEP` if at
    most `FEW_FALLS` of the lives that met it ended in a fall, and sinks by as much if more
    than `MANY_FALLS` did: every shift stays where about half of its lives end in a fall, and
    genomes differ most. It is the automatic domain randomisation of Akkaya et al. 2019 (arXiv
    1910.07113), with falls for its measure and a severity for each shift in place of a boundary for
    each parameter.

    Args:
        plans: what may happen in the lives, and in which generations.

    Attributes:
        severities: (plans,), from 0 to 1; 1 of those that have no mildest form.
    """

    def __init__(self, plans: tuple[ShiftPlan, ...]):
        self.plans = plans
        self.severities = np.array([0.0 if plan.mildest else 1.0 for plan in plans])

    def at(self, generation: int) -> tuple[ShiftPlan, ...]:
        """Return what may happen in the lives of a generation, as severe as it is now."""
        rows = self._rows(generation)
        return tuple(self.plans[i].at(float(self.severities[i])) for i in rows)

    def follow(
        self,
        generation: int,
        env: RobotVectorEnv,
        seeds: NDArray[np.int64],
        fell: NDArray[np.bool_],
        lived_s: NDArray[np.floating],
    ) -> dict[str, float]:
        """Change the severities after the lives of `seeds` (n,), of which `fell` (n,) ended in one.

        A life that was over (`lived_s`, (n,)) before a shift began says nothing about it.

        Returns:
            For a log: the severity that each growing shift had, and the share of falls under it.
        """
        told = {}
        rows = self._rows(generation)
        if not any(self.plans[i].mildest for i in rows):
            return told
        met = onsets_s(self.at(generation), env.world, seeds) <= lived_s[:, None]
        for i, lives in zip(rows, met.T, strict=True):
            if not self.plans[i].mildest or not lives.any():
                continue
            falls = float(fell[lives].mean())
            name = f"{i}_{self.plans[i].kind}"
            told |= {f"severity/{name}": float(self.severities[i]), f"falls_under/{name}": falls}
            change = STEP * (float(falls <= FEW_FALLS) - float(falls > MANY_FALLS))
            self.severities[i] = np.clip(self.severities[i] + change, 0.0, 1.0)
        return told

    def load(self, severities: NDArray[np.float64]) -> None:
        """Go on from `severities` (plans,).

        Raises:
            ValueError: they are of other plans.
        """
        if severities.shape != self.severities.shape:
            raise ValueError(f"{len(severities)} severities for {len(self.plans)} shifts")
        self.severities = severities.copy()

    def _rows(self, generation: int) -> list[int]:
        return [i for i, plan in enumerate(self.plans) if plans_at([plan], generation)]
