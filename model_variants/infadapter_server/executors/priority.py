"""
Lower the CPU priority (nice) of the computing thread below that of the threads that refuse and
answer.

At equal priority a busy executor leaves half of a core to the HTTP side. If that needs more,
requests wait unseen in their sockets and are late before they are admitted.
"""

import os
import threading
from contextlib import suppress

__all__ = ["give_way"]

_NICE = 5
"""A quarter of the CPU time while other threads of the container are busy as well."""


def give_way() -> None:
    """Lower the priority of the calling thread; threads that it starts inherit it."""
    with suppress(OSError):  # threads have a priority of their own on Linux only
        os.setpriority(os.PRIO_PROCESS, threading.get_native_id(), _NICE)
