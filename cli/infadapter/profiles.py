"""Profiles from a file: the same documents that `kubectl apply` takes, read by the same models."""

from importlib.resources import files
from pathlib import Path
from typing import Any

import yaml

from infadapter_operator.api.objects import InvalidObject, parse_profile
from infadapter_operator.planning.profiles import measured
from infadapter_solver import Profile

MOST_BYTES = 16 * 1024 * 1024


class ProfileFileError(ValueError):
    """A file is not what it should be; the message is one sentence that names it."""


def read_profiles(path: Path) -> tuple[Profile, ...]:
    """The VariantProfile documents of a file, each named as its profile is."""
    try:
        with path.open("rb") as file:
            text = file.read(MOST_BYTES + 1)
    except OSError as error:
        raise ProfileFileError(f"{path} can't be read: {error.strerror}.") from error
    if len(text) > MOST_BYTES:
        raise ProfileFileError(f"{path} is larger than {MOST_BYTES // 2**20} MiB.")
    return parse_profiles(text, str(path))


def read_preset(name: str) -> tuple[Profile, ...]:
    return parse_profiles((files("infadapter") / "presets" / f"{name}.yaml").read_bytes(), name)


def parse_profiles(text: bytes, source: str) -> tuple[Profile, ...]:
    profiles = [_profile(document, at) for at, document in _documents(text, source)]
    if not profiles:
        raise ProfileFileError(f"{source} holds no VariantProfile.")
    names = [profile.variant for profile in profiles]
    for name in sorted({name for name in names if names.count(name) > 1}):
        raise ProfileFileError(f"{source} holds two profiles called {name}.")
    return tuple(profiles)


def _documents(text: bytes, source: str) -> list[tuple[str, Any]]:
    try:
        found = list(yaml.load_all(text, Loader=getattr(yaml, "CSafeLoader", yaml.SafeLoader)))
    except (yaml.YAMLError, ValueError, RecursionError) as error:
        raise ProfileFileError(f"{source} is no YAML{_where(error)}.") from error
    return [(f"{source}, document {i}", d) for i, d in enumerate(found, start=1) if d is not None]


def _where(error: Exception) -> str:
    mark = getattr(error, "problem_mark", None)
    return f": line {mark.line + 1}, column {mark.column + 1}" if mark else ""


def _profile(document: Any, at: str) -> Profile:
    kind = document.get("kind") if isinstance(document, dict) else None
    if kind != "VariantProfile":
        raise ProfileFileError(f"{at}: kind must be VariantProfile, was {kind}.")
    try:
        return measured(parse_profile(document))
    except InvalidObject as error:
        raise ProfileFileError(f"{at}: {error}.") from error
