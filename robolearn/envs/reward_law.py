"""Which arm of a maze pays in which trial of a life, and what the best player can expect of it.

The arm that pays in trial t is (s + c_t + d_t) mod A of A arms: s is drawn for the life, c_t is the
arm that a cue shows (0 without cues), and d_t, 0 at first, jumps once to another value, in a trial
drawn uniformly from a window. Without cues the food is moved; with them their meaning changes.
A visit to the paying arm is lucky with the probability p, a visit to another with 1 − p; luck pays
1, else there is `low`. After Soltoggio et al. 2008, whose double T-maze has p = 1.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True)
class RewardLaw:
    """The law of one life.

    Attributes:
        arms: number of arms A.
        trials: number of trials T of a life.
        window: first and last trial, counted from 0, in which the switch may come; None for none.
        probability: p.
        low: what an unlucky visit pays.
        cued: whether cues are drawn.
        first_side: s, or None to draw it.
    """

    arms: int
    trials: int
    window: tuple[int, int] | None
    probability: float
    low: float
    cued: bool
    first_side: int | None

    def draw(
        self, rng: np.random.Generator
    ) -> tuple[int, NDArray[np.int64], NDArray[np.int64], NDArray[np.float64]]:
        """Return s, all d_t (T,), all c_t (T,), and uniform numbers (T,): luck of the paying arm.

        In this order: s, the switch and its size, the cues, the numbers; all are always drawn.
        """
        side = int(rng.integers(self.arms))
        first, last = self.window or (self.trials, self.trials)
        switch = int(rng.integers(first, last + 1))
        jump = int(rng.integers(1, self.arms)) if self.arms > 1 else 0
        cues = rng.integers(self.arms, size=self.trials)
        luck = rng.random(self.trials)
        displaced = np.where(np.arange(self.trials) >= switch, jump, 0)
        side = side if self.first_side is None else self.first_side
        return side, displaced, cues if self.cued else np.zeros_like(cues), luck

    def expected_pay(self) -> float:
        """Return the mean pay of a trial for win-stay, lose-shift play with perfect driving.

        With p = 1 no player who knows neither s nor the moment of the switch can expect more, but
        for one who counts trials and in the last one of the window foresees a switch that did not
        come yet; that is worth (1 − low) / (T × width of the window).

        p = 1: the first search visits (A − 1)/2 wrong arms, the one after the switch A/2, the old
        arm included. p < 1, two arms: who is right with probability q is right in the next trial
        with q p + (1 − q) p = p, so always with p, but 1/2 in the first trial and 1 − p at the
        switch.

        Raises:
            ValueError: p < 1 with more than two arms, or the switch comes before the first search
                can end.
        """
        if self.probability < 1 and self.arms != 2:
            raise ValueError("there is a closed form for chancy reward only with two arms")
        if self.window is not None and self.window[0] < self.arms - 1:
            raise ValueError("the switch may come before the first search ends")
        switches = 0 if self.window is None else 1
        if self.probability == 1:
            known = self.first_side is not None
            wrong = switches * self.arms / 2 + (0 if known else (self.arms - 1) / 2)
            return 1.0 - (1.0 - self.low) * wrong / self.trials
        p = self.probability
        right = [1.0 if self.first_side is not None else 0.5, *[1 - p] * switches]
        right += [p] * (self.trials - len(right))
        lucky = np.mean([q * p + (1 - q) * (1 - p) for q in right])
        return float(self.low + (1.0 - self.low) * lucky)
