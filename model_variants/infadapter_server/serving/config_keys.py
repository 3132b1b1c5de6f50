"""The keys of a model's configuration: allowed values, and the sentence for others."""

import math
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from infadapter_server.networks.signatures import SIGNATURES

__all__ = ["KEYS", "MOST_VALUES", "NAME", "ConfigError", "Rung", "only"]

NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,252}")
TENSOR = re.compile(r"[A-Za-z0-9_][A-Za-z0-9._:/-]{0,252}")
MOST_BATCH = 1024
MOST_SIZES, MOST_RUNGS, MOST_POINTS = 16, 64, 1024
MOST_VALUES = 2**26
"""Largest number of values of one input or output: 256 MiB."""
MOST_SECONDS = 3600.0


class ConfigError(ValueError):
    """An unusable configuration; the message is a sentence that names the key."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Rung:
    """An operating point of a ladder: a shipped variant, or a file beside the others."""

    name: str
    variant: str = ""
    file: str = ""
    accuracy: float | None = None


def _tensor(value: Any, key: str) -> tuple[str, tuple[int, ...]]:
    if not isinstance(value, dict):
        raise ConfigError(f"{key} must have a name and a shape.")
    only(value, f"{key}.", "name", "shape")
    name, shape = value.get("name"), value.get("shape")
    if not isinstance(name, str) or not TENSOR.fullmatch(name):
        raise ConfigError(f"{key}.name must be letters, digits, dots, dashes, colons and slashes.")
    whole = isinstance(shape, list) and all(type(size) is int and size > 0 for size in shape)
    if not whole or not shape or math.prod(shape) > MOST_VALUES:
        raise ConfigError(
            f"{key}.shape must be a list of whole numbers, without the batch: [3, 224, 224]."
        )
    return name, tuple(shape)


def _variant(value: Any, key: str) -> str:
    if not isinstance(value, str) or value not in SIGNATURES:
        raise ConfigError(f"{key} {value!r} is unknown: choose one of {', '.join(SIGNATURES)}.")
    return value


def _ladder(value: Any, key: str) -> tuple[Rung, ...]:
    if not isinstance(value, list) or not 1 <= len(value) <= MOST_RUNGS:
        raise ConfigError(f"{key} must be a list of variants, or of name, file and accuracy.")
    rungs = tuple(_rung(each, f"{key}[{place}]") for place, each in enumerate(value))
    names = [rung.name for rung in rungs]
    for name in names:
        if names.count(name) > 1:
            raise ConfigError(f"{key} has two rungs of the name {name}.")
    return rungs


def _rung(value: Any, key: str) -> Rung:
    if not isinstance(value, dict):
        return Rung(name=_variant(value, key), variant=value)
    only(value, f"{key}.", "name", "file", "accuracy")
    name, file = value.get("name"), value.get("file")
    if not isinstance(name, str) or not NAME.fullmatch(name):
        raise ConfigError(f"{key}.name must be letters, digits, dots and dashes.")
    if not isinstance(file, str) or not NAME.fullmatch(file) or not file.endswith((".pt", ".pt2")):
        raise ConfigError(f"{key}.file must be the name of a .pt or .pt2 file of the version.")
    accuracy = _accuracy(value.get("accuracy"), f"{key}.accuracy")
    return Rung(name=name, file=file, accuracy=accuracy)


def _batch_sizes(value: Any, key: str) -> tuple[int, ...]:
    whole = isinstance(value, list) and all(type(size) is int for size in value)
    if not whole or not 1 <= len(value) <= MOST_SIZES:
        raise ConfigError(f"{key} must be a list of whole numbers, such as [1, 2, 4, 8].")
    if min(value) != 1 or max(value) > MOST_BATCH:
        raise ConfigError(f"{key} must begin with 1, since nothing is padded, up to {MOST_BATCH}.")
    return tuple(sorted(set(value)))


def _accuracy(value: Any, key: str) -> float:
    return _number(value, key, 1.0)


def _version(value: Any, key: str) -> str:
    if not isinstance(value, int) or isinstance(value, bool) or value < 1:
        raise ConfigError(f"{key} must be the number of a version, such as 3.")
    return str(value)


def _pinned(value: Any, key: str) -> bool:
    if not isinstance(value, bool):
        raise ConfigError(f"{key} must be true or false.")
    return value


def _profile(value: Any, key: str) -> dict[str, Any]:
    if not isinstance(value, dict):
        raise ConfigError(f"{key} must have execution_seconds and load_seconds.")
    only(value, f"{key}.", "execution_seconds", "load_seconds", "points")
    load_s = _seconds(value.get("load_seconds"), f"{key}.load_seconds")
    if "points" not in value:
        spent = _by_size(value.get("execution_seconds"), f"{key}.execution_seconds")
        return {"execution_s": spent, "load_s": load_s}
    if "execution_seconds" in value:
        raise ConfigError(f"{key}.execution_seconds are those of points: give one of the two.")
    return {"points_s": _points(value["points"], f"{key}.points"), "load_s": load_s}


def _points(value: Any, key: str) -> dict[str, dict[int, float]]:
    if not isinstance(value, dict) or not 1 <= len(value) <= MOST_POINTS:
        raise ConfigError(f"{key} must be seconds by batch size, by the names of the points.")
    return {str(name): _by_size(sizes, f"{key}.{str(name)[:80]}") for name, sizes in value.items()}


def _by_size(sizes: Any, key: str) -> dict[int, float]:
    if not isinstance(sizes, dict) or not all(type(size) is int and size > 0 for size in sizes):
        raise ConfigError(f"{key} must be seconds by batch size: {{1: 0.02}}.")
    return {n: _seconds(s, key) for n, s in sizes.items()}


def _seconds(value: Any, key: str) -> float:
    seconds = _number(value, key, MOST_SECONDS)
    if seconds <= 0:
        raise ConfigError(f"{key} must be above 0.")
    return seconds


def _number(value: Any, key: str, most: float) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value <= most:
        raise ConfigError(f"{key} must be a number from 0 to {most:g}.")
    return float(value)


def only(content: Mapping[Any, Any], where: str, *keys: str) -> None:
    for key in content:
        if key not in keys:
            raise ConfigError(f"{where}{key} is no key; there are {', '.join(keys)}.")


KEYS: Mapping[str, Callable[[Any, str], Any]] = {
    "input": _tensor,
    "output": _tensor,
    "variant": _variant,
    "ladder": _ladder,
    "batch_sizes": _batch_sizes,
    "accuracy": _accuracy,
    "version": _version,
    "pinned": _pinned,
    "profile": _profile,
}
