"""Memory that is free goes back to the system: malloc keeps it for itself otherwise."""

import ctypes
import sys

_libc = ctypes.CDLL(None) if sys.platform == "linux" else None


def give_back() -> None:
    """glibc's malloc_trim; where there is another malloc (musl, macOS) it does that by itself."""
    trim = getattr(_libc, "malloc_trim", None)
    if trim is not None:
        trim(0)
