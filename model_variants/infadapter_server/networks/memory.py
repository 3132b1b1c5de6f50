"""Measure a network's memory, and return freed memory to the operating system."""

import ctypes
import gc
import sys
from collections.abc import Callable, Iterable
from typing import Any, Protocol

_libc = ctypes.CDLL(None) if sys.platform == "linux" else None
_settled = False


class Network(Protocol):
    """Interface of torch's nn.Module, which torch.jit and torch.export modules share."""

    def parameters(self) -> Iterable[Any]: ...

    def buffers(self) -> Iterable[Any]: ...


def held_bytes(network: Network) -> int:
    return sum(tensor.nbytes for tensor in (*network.parameters(), *network.buffers()))


def trim_memory() -> None:
    """Call glibc's malloc_trim; other mallocs (musl's, macOS's) keep less freed memory."""
    trim = getattr(_libc, "malloc_trim", None)
    if trim is not None:
        trim(0)


def collect_and_trim() -> None:
    """Free reference cycles, which only the garbage collector finds, and return the memory."""
    gc.collect()
    trim_memory()


def freeze_imports(imports: Callable[[], object]) -> None:
    """
    Run the imports once and exempt all objects that exist afterwards from garbage collection.

    Otherwise each collection scans torch's modules for 300 ms, which blocks all threads; so it
    takes 1 ms.
    """
    global _settled
    if not _settled:
        imports()
        gc.collect()
        gc.freeze()
        _settled = True
