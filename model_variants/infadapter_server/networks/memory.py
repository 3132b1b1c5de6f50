"""What a network holds in memory, and that it goes back to the system once it is free."""

import ctypes
import gc
import sys
from collections.abc import Callable, Iterable
from typing import Any, Protocol

_libc = ctypes.CDLL(None) if sys.platform == "linux" else None
_settled = False


class Network(Protocol):
    """torch's nn.Module, and what torch.jit and torch.export make of one."""

    def parameters(self) -> Iterable[Any]: ...

    def buffers(self) -> Iterable[Any]: ...


def held_bytes(network: Network) -> int:
    return sum(tensor.nbytes for tensor in (*network.parameters(), *network.buffers()))


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
