"""Memory that is free goes back to the system: neither malloc nor Python does that by itself."""

import ctypes
import gc
import sys
from collections.abc import Callable

_libc = ctypes.CDLL(None) if sys.platform == "linux" else None
_settled = False


def give_back() -> None:
    """glibc's malloc_trim; other mallocs (musl's, macOS's) keep less for themselves."""
    trim = getattr(_libc, "malloc_trim", None)
    if trim is not None:
        trim(0)


def give_back_circles() -> None:
    """What refers to itself is found by the collector only, if ever."""
    gc.collect()
    give_back()


def settle(imports: Callable[[], object]) -> None:
    """
    Once: what is there after the imports stays, and the collector looks at it no more. Else it
    needs 300 ms each time for the modules of torch, in which no other thread runs; now one.
    """
    global _settled
    if not _settled:
        imports()
        gc.collect()
        gc.freeze()
        _settled = True
