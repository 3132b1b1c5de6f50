"""
Fields of a client's JSON. An error is a BadTensor whose message names the field.

A null field counts as absent, because clients that model the whole request write null for every
optional field.
"""

import reprlib
from collections.abc import Mapping
from typing import Any

__all__ = ["BadTensor", "flag", "parameters", "shown", "whole_number"]

_LARGEST = 2**63 - 1


class BadTensor(ValueError):
    """The request contains no tensor that the model can answer; the message says why."""


def parameters(holder: Mapping[str, Any], where: str) -> Mapping[str, Any]:
    """
    Return the parameters of the request, an input or an output; the caller ignores unknown ones.
    Raises BadTensor, also for shared memory, as such a request contains no values.
    """
    given = holder.get("parameters")
    if given is None:
        return {}
    if not isinstance(given, dict):
        raise BadTensor(f"The field parameters of {where} must be an object.")
    if given.get("shared_memory_region") is not None:
        raise BadTensor(f"The parameter shared_memory_region of {where} is not supported.")
    return given


def flag(given: Mapping[str, Any], name: str, default: bool) -> bool:
    """Return a boolean parameter."""
    value = given.get(name)
    if value is None:
        return default
    if not isinstance(value, bool):
        raise BadTensor(f"The parameter {name} is {shown(value)}; it must be true or false.")
    return value


def whole_number(given: Mapping[str, Any], name: str, least: int, unit: str) -> int | None:
    """Return a whole-number parameter, None if it is absent."""
    value = given.get(name)
    if value is not None and (type(value) is not int or not least <= value <= _LARGEST):
        raise BadTensor(
            f"{name} is {shown(value)}; it must be a number of {unit}, at least {least}."
        )
    return value


def shown(value: object) -> str:
    """Return a client's value, shortened for a message."""
    return "missing" if value is None else reprlib.repr(value)
