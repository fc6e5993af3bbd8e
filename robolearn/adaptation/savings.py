"""What is left of a shift when it is gone, and what is left of its lesson when it comes back.

For lives under a shift that comes, goes and comes back, at the same shares of every life: `spans`
as in `Protocol`. Both figures compare a life with its intact twin in the same window, pooled over
episodes as in `metrics`, and are unitless.
"""

import numpy as np

from robolearn.adaptation.metrics import Array, PairedLives

Spans = tuple[tuple[float, float], ...]


def savings(lives: PairedLives, spans: Spans) -> float:
    """Return how much less the shift costs at first when it comes back: positive is learned.

    (mean p after the second onset) / (mean p_ref there) - the same after the first onset, each over
    the first half of the shorter of the two spans. Where an agent relearns faster than it learned,
    the second is higher; where it fell in between, all that follows counts 0. NaN with fewer than
    two spans, or where the twins do not move.
    """
    if len(spans) < 2:
        return float("nan")
    (begin, end), (again, last) = spans[:2]
    window = min(end - begin, last - again) / 2
    return _share(lives, again, again + window) - _share(lives, begin, begin + window)


def forgetting(lives: PairedLives, spans: Spans) -> float:
    """Return the share of intact performance that is missing after the shift has gone.

    1 - (mean p) / (mean p_ref) over the second half of the time between two spans: 0 is as good as
    if nothing had been, 1 is all lost (a fall counts so). NaN with fewer than two spans, or where
    the twins do not move.
    """
    if len(spans) < 2:
        return float("nan")
    end, again = spans[0][1], spans[1][0]
    return 1 - _share(lives, (end + again) / 2, again)


def _share(lives: PairedLives, begin: float, end: float) -> float:
    """Return mean p / mean p_ref between two shares of the life, of those who walked."""
    ticks, walked = lives.performance.shape[1], lives.walked
    if not walked.any():
        return float("nan")
    window = slice(round(begin * ticks), max(round(begin * ticks) + 1, round(end * ticks)))
    below = _mean(lives.reference[walked, window])
    return _mean(lives.performance[walked, window]) / below if below > 0 else float("nan")


def _mean(values: Array) -> float:
    return float(np.mean(values, dtype=np.float64))
