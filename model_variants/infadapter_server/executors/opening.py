"""How whoever computes comes to torch: late, and in its own thread or process."""

import gc
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from infadapter_server.networks.adaptive.points import AdaptiveNetwork
from infadapter_server.networks.signatures import Model
from infadapter_server.networks.stored import Stored

Loaded = Model | AdaptiveNetwork
Opener = Callable[[Stored], Loaded]
"""Raises LoadError."""


def torch_opener() -> Opener:
    """Import torch, which takes seconds, and return what opens models with it.

    A process that only hands out work never calls this, and stays some 200 MB smaller.
    """
    with _collector_at_rest():
        from infadapter_server.networks.models import open_stored

    return open_stored


@contextmanager
def _collector_at_rest() -> Iterator[None]:
    """What is imported stays: to look through it again and again is an eighth of the import."""
    was_on = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_on:
            gc.enable()
