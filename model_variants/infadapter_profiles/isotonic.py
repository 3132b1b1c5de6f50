"""Isotonic regression and linear interpolation."""

from bisect import bisect_left
from collections.abc import Sequence


def isotonic(values: Sequence[float]) -> list[float]:
    """
    Return the non-decreasing sequence with the least squared error (pool adjacent violators).

    A size that measured worse than a smaller one is noise, so both get their mean.
    """
    pools: list[tuple[float, int]] = []  # mean, count
    for value in values:
        mean, count = value, 1
        while pools and pools[-1][0] > mean:
            before, many = pools.pop()
            mean, count = (before * many + mean * count) / (many + count), many + count
        pools.append((mean, count))
    return [mean for mean, count in pools for _ in range(count)]


def interpolate(at: Sequence[float], values: Sequence[float], x: float) -> float:
    """Interpolate `values` linearly at x, which the ascending `at` must enclose."""
    right = max(1, bisect_left(at, x))
    left = right - 1
    share = (x - at[left]) / (at[right] - at[left])
    return values[left] + share * (values[right] - values[left])
