"""How often the intervals of `statistics.interval` hold the truth, for the note under every table.

Simulated by `benchmarks/interval_cover.py`, whose raw numbers lie beside it; a test holds these
figures to them.
"""

# {runs: (least, most, half fail)}: share of 95 % intervals that hold the true IQM, over normal,
# uniform, skewed and heavy-tailed runs, and where half of the runs fail and half do not (where it
# goes up and down with their number).
COVER = {
    3: (0.917, 0.958, 0.749),
    4: (0.928, 0.974, 0.875),
    5: (0.937, 0.971, 0.931),
    6: (0.935, 0.973, 0.777),
    7: (0.923, 0.972, 0.872),
    8: (0.918, 0.969, 0.709),
    9: (0.934, 0.980, 0.823),
    10: (0.924, 0.940, 0.926),
}


def cover_note(runs: int) -> str:
    """Return how far a 95 % interval over that many training runs may be trusted."""
    nearest = min(COVER, key=lambda n: abs(n - runs))
    least, most, half = COVER[nearest]
    others = "" if nearest == runs else f", the nearest to {runs}"
    return (
        f"95 % intervals over {nearest} runs{others}: {least:.0%} to {most:.0%} hold in "
        f"simulation, {half:.0%} where half of the runs fail"
    )
