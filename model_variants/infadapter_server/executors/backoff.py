"""
Exponential back-off with jitter, so that clients that were disconnected together don't return
together.
"""

import random
from collections.abc import Iterator

FIRST_S = 0.2
MOST_S = 10.0


def delays_s(
    first_s: float = FIRST_S, most_s: float = MOST_S, rng: random.Random | None = None
) -> Iterator[float]:
    """Yield waiting times in seconds, each between half and all of twice the one before."""
    rng, bound_s = rng or random.Random(), first_s
    while True:
        yield rng.uniform(bound_s / 2, bound_s)
        bound_s = min(2 * bound_s, most_s)
