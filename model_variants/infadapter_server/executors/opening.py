"""How whoever computes comes to torch: late, and in its own thread or process."""

from collections.abc import Callable

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
    from infadapter_server.networks.models import open_stored

    return open_stored
