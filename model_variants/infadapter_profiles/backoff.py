"""Exponential back-off, as the operator leaves what does not come and a server what hangs."""

from math import ldexp

MOST_DOUBLINGS = 32
"""Beyond any longest back-off; attempts are counted on for weeks, and 2 ** 1024 is no float."""


def backoff_s(first_s: float, failures: int, most_s: float) -> float:
    """After one failure `first_s`, doubled with every further one, and never more than `most_s`."""
    return min(most_s, ldexp(first_s, min(failures - 1, MOST_DOUBLINGS)))
