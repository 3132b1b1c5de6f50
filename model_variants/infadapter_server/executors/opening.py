"""Import torch late, and only in the thread or process that computes."""

import gc
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from infadapter_server.networks.adaptive.points import AdaptiveNetwork
from infadapter_server.networks.signatures import Model
from infadapter_server.networks.stored import Stored

Loaded = Model | AdaptiveNetwork
Opener = Callable[[Stored], Loaded]
"""Opens a stored model. Raises LoadError."""


def torch_opener() -> Opener:
    """
    Import torch, which takes seconds, and return a function that opens models with it. A process
    that only distributes work never calls this, and stays some 200 MB smaller.
    """
    with _collector_at_rest():
        from infadapter_server.networks.models import open_stored

    return open_stored


@contextmanager
def _collector_at_rest() -> Iterator[None]:
    """
    Disable garbage collection during the import: imported objects stay, and scanning them takes an
    eighth of the time.
    """
    was_on = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_on:
            gc.enable()
