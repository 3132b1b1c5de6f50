"""Executors that started at different times: how long a request waits for the next free one."""

SHARED = 0.5
"""With two alternating executors, one is free half-way through an execution of the other."""


def waited_share(executors: int) -> float:
    """
    Return the share of a just begun execution for which a request waits: all of it with one
    executor. More than two are never evenly staggered, so no further gain is assumed.
    """
    return 1.0 if executors < 2 else SHARED
