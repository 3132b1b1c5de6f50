"""
CPU priority (nice) of the thread that computes, below that of the threads which refuse and answer.

At equal priorities an executor that is never idle leaves half of a core to the HTTP side; where
that needs more, requests wait unseen in their sockets, and are late before they are admitted.
"""

import os
import threading
from contextlib import suppress

__all__ = ["give_way"]

_NICE = 5
"""A quarter of the CPU time, while somebody else of this container wants it as well."""


def give_way() -> None:
    """Lower the priority of the thread that calls; threads that it starts inherit that."""
    with suppress(OSError):  # threads have a priority of their own on Linux only
        os.setpriority(os.PRIO_PROCESS, threading.get_native_id(), _NICE)
