"""
Compile inner loops to machine code, cached beside the sources or in the home directory if writable.
"""

from collections.abc import Callable, Mapping
from typing import Any, TypeVar, cast

import numba
from numba.core.dispatcher import Dispatcher

Function = TypeVar("Function", bound=Callable[..., Any])


def compiled(function: Function) -> Function:
    """
    Return the compiled function.

    In a read-only container numba has no place for its cache, and each process compiles again.
    numba invalidates a cached function when its own file changes; we also do so when constants and
    functions that it uses from other files change, since these are compiled in.
    """
    try:
        found: Any = numba.njit(cache=True)(function)
    except RuntimeError:
        found = numba.njit(function)
    if index := _index(found):
        index._source_stamp = index._source_stamp, _parts(function.__globals__)
    return cast(Function, found)


def _index(value: Any) -> Any:
    """
    Return the cache entry of a function; None if there is none, or it isn't compiled (debugger).
    """
    is_compiled = isinstance(value, Dispatcher)
    return getattr(getattr(value, "_cache", None), "_cache_file", None) if is_compiled else None


def _parts(names: Mapping[str, Any]) -> tuple[tuple[str, object], ...]:
    """
    Return the globals of its module defined so far, so that functions called later have them as
    well.
    """
    found: dict[str, object] = {}
    for name, value in names.items():
        if isinstance(value, bool | int | float):
            found[name] = repr(value)
        elif (index := _index(value)) and value.py_func.__globals__ is not names:
            found[name] = index._source_stamp
    return tuple(sorted(found.items()))
