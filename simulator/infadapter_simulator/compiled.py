"""Inner loops as machine code, kept beside the sources or in the home where one can be written."""

from collections.abc import Callable, Mapping
from typing import Any, TypeVar, cast

import numba
from numba.core.dispatcher import Dispatcher

Function = TypeVar("Function", bound=Callable[..., Any])


def compiled(function: Function) -> Function:
    """
    In a read-only container numba has nowhere to keep it: then each process compiles anew. What is
    kept is used as long as the function's own file is as it was, by numba; and by us, as long as
    the numbers and functions that it has from other files are, since these are part of the code.
    """
    try:
        found: Any = numba.njit(cache=True)(function)
    except RuntimeError:
        found = numba.njit(function)
    if index := _index(found):
        index._source_stamp = index._source_stamp, _parts(function.__globals__)
    return cast(Function, found)


def _index(value: Any) -> Any:
    """Of what is kept of a function; None if nothing is, or it isn't compiled (for a debugger)."""
    is_compiled = isinstance(value, Dispatcher)
    return getattr(getattr(value, "_cache", None), "_cache_file", None) if is_compiled else None


def _parts(names: Mapping[str, Any]) -> tuple[tuple[str, object], ...]:
    """All of its module's so far, so that what it calls further down there has them as well."""
    found: dict[str, object] = {}
    for name, value in names.items():
        if isinstance(value, bool | int | float):
            found[name] = repr(value)
        elif (index := _index(value)) and value.py_func.__globals__ is not names:
            found[name] = index._source_stamp
    return tuple(sorted(found.items()))
