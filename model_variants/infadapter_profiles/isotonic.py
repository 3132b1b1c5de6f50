"""The nearest sequence that never falls, and lines between its values."""

from bisect import bisect_left
from collections.abc import Sequence


def isotonic(values: Sequence[float]) -> list[float]:
    """
    Least squares among the sequences that never fall: pool adjacent violators.

    A size that measured worse than a smaller one is noise, and shares its mean with it.
    """
    pools: list[tuple[float, int]] = []  # mean, how many
    for value in values:
        mean, count = value, 1
        while pools and pools[-1][0] > mean:
            before, many = pools.pop()
            mean, count = (before * many + mean * count) / (many + count), many + count
        pools.append((mean, count))
    return [mean for mean, count in pools for _ in range(count)]


def interpolate(at: Sequence[float], values: Sequence[float], x: float) -> float:
    """Linear between the two nearest of `at`, which ascends and encloses x."""
    right = max(1, bisect_left(at, x))
    left = right - 1
    share = (x - at[left]) / (at[right] - at[left])
    return values[left] + share * (values[right] - values[left])
