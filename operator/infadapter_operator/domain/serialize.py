"""
Serialise domain values to JSON and back, so that a recorded situation leads to the same decision
again.

Conversion follows the types of the fields, so that each value has one definition. A mapping whose
keys are not strings becomes a list of pairs, and a number that is not finite a string.
"""

import math
from collections.abc import Mapping
from dataclasses import fields, is_dataclass
from enum import Enum
from functools import cache
from types import NoneType, UnionType
from typing import Any, Union, get_args, get_origin, get_type_hints

Json = Any


def to_json(value: object) -> Json:
    """Return the JSON form. Raises TypeError for anything that is not a domain value."""
    if isinstance(value, Enum):
        return value.value
    if value is None or isinstance(value, bool | int | str):
        return value
    if isinstance(value, float):
        return value if math.isfinite(value) else str(value)
    if is_dataclass(value) and not isinstance(value, type):
        return {f.name: to_json(getattr(value, f.name)) for f in fields(value) if f.compare}
    if isinstance(value, Mapping):
        return _mapping_to_json(value)
    if isinstance(value, frozenset):
        return [to_json(item) for item in sorted(value)]
    if isinstance(value, tuple):
        return [to_json(item) for item in value]
    raise TypeError(f"{type(value).__name__} is no value that can be written down")


def from_json(kind: Any, document: Json) -> Any:
    """
    Return the value of type `kind`. Raises TypeError, ValueError or KeyError if the document does
    not match.
    """
    if get_origin(kind) in (Union, UnionType):
        return _optional(kind, document)
    if is_dataclass(kind):
        return _dataclass(kind, document)
    if kind is float:
        return float(document)
    if kind in (int, bool, str):
        return _plain(kind, document)
    if isinstance(kind, type) and issubclass(kind, Enum):
        return kind(document)
    if isinstance(kind, type) and issubclass(kind, tuple) and hasattr(kind, "_fields"):
        hints, names = _hints(kind), kind._fields
        items = zip(names, document, strict=True)
        return kind(*(from_json(hints[name], item) for name, item in items))
    return _collection(kind, document)


def _mapping_to_json(value: Mapping[Any, Any]) -> Json:
    if all(type(key) is str for key in value):
        return {key: to_json(item) for key, item in value.items()}
    return [[to_json(key), to_json(item)] for key, item in value.items()]


@cache
def _hints(kind: Any) -> dict[str, Any]:
    return get_type_hints(kind)


def _optional(kind: Any, document: Json) -> Any:
    (some,) = (arg for arg in get_args(kind) if arg is not NoneType)
    return None if document is None else from_json(some, document)


def _dataclass(kind: Any, document: Json) -> Any:
    hints = _hints(kind)
    return kind(**{name: from_json(hints[name], item) for name, item in document.items()})


def _plain(kind: type, document: Json) -> Any:
    if type(document) is not kind:
        raise TypeError(f"{document!r} is no {kind.__name__}")
    return document


def _collection(kind: Any, document: Json) -> Any:
    origin, args = get_origin(kind), get_args(kind)
    if origin is tuple and args[-1] is not Ellipsis:
        return tuple(from_json(arg, item) for arg, item in zip(args, document, strict=True))
    if origin is tuple:
        return tuple(from_json(args[0], item) for item in document)
    if origin is frozenset:
        return frozenset(from_json(args[0], item) for item in document)
    if isinstance(origin, type) and issubclass(origin, Mapping):
        pairs = document.items() if isinstance(document, dict) else document
        return {from_json(args[0], key): from_json(args[1], item) for key, item in pairs}
    raise TypeError(f"{kind} can't be read")
