"""Exponential back-off, for the operator's retries and the server's hanging model loads."""

from math import ldexp

MOST_DOUBLINGS = 32
"""Cap on doublings, above any maximum back-off. Failures add up for weeks; 2 ** 1024 overflows."""


def backoff_s(first_s: float, failures: int, most_s: float) -> float:
    """Return `first_s` after one failure, doubled with each further failure, at most `most_s`."""
    return min(most_s, ldexp(first_s, min(failures - 1, MOST_DOUBLINGS)))
