"""Inner loops as machine code, kept beside the sources or in the home where one can be written."""

from collections.abc import Callable
from typing import Any

import numba


def compiled(function: Callable[..., Any]) -> Any:
    """In a read-only container numba has nowhere to keep it: then each process compiles anew."""
    try:
        return numba.njit(cache=True)(function)
    except RuntimeError:
        return numba.njit(function)
