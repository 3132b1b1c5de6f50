"""Executors that began at different times: for how long whoever comes waits for one of them."""

SHARED = 0.5
"""Half-way through an execution of one executor, another one is free: of two that alternate."""


def waited_share(executors: int) -> float:
    """
    Of an execution that has just begun, so much of it whoever comes waits for: all of it where
    there is one executor. What more than two would spare him is left to chance: they are never
    evenly apart.
    """
    return 1.0 if executors < 2 else SHARED
