"""Fields of a stranger's JSON: what is wrong with one is a BadTensor whose message names it.

A field that is null counts as absent: clients that model the whole request write null for every
optional field that they leave out.
"""

import reprlib
from collections.abc import Mapping
from typing import Any

__all__ = ["BadTensor", "flag", "parameters", "shown", "whole_number"]

_LARGEST = 2**63 - 1


class BadTensor(ValueError):
    """The request holds no tensor that the model can answer; the message says why."""


def parameters(holder: Mapping[str, Any], where: str) -> Mapping[str, Any]:
    """The parameters of the request, an input or an output; unknown ones are the reader's to skip.

    Raises BadTensor also for shared memory, since a request that relies on it brings no values.
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
    """A parameter that is true or false."""
    value = given.get(name)
    if value is None:
        return default
    if not isinstance(value, bool):
        raise BadTensor(f"The parameter {name} is {shown(value)}; it must be true or false.")
    return value


def whole_number(given: Mapping[str, Any], name: str, least: int, unit: str) -> int | None:
    """A parameter that counts something, None where it is absent."""
    value = given.get(name)
    if value is not None and (type(value) is not int or not least <= value <= _LARGEST):
        raise BadTensor(
            f"{name} is {shown(value)}; it must be a number of {unit}, at least {least}."
        )
    return value


def shown(value: object) -> str:
    """A stranger's value, short enough for a message."""
    return "missing" if value is None else reprlib.repr(value)
