"""Exponential back-off, for pods that the operator waits for and model loads that hang."""

from math import ldexp

MOST_DOUBLINGS = 32
"""Cap on doublings, above any maximum back-off. Failures add up for weeks; 2 ** 1024 overflows."""


def backoff_s(first_s: float, failures: int, most_s: float) -> float:
    """Return `first_s` after one failure, doubled with each further failure, at most `most_s`."""
    return min(most_s, ldexp(first_s, min(failures - 1, MOST_DOUBLINGS)))
