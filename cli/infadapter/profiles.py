"""Profiles from a file: what `kubectl apply` takes, judged by the same models."""

from importlib.resources import files
from pathlib import Path
from typing import Any

from infadapter_operator.api.objects import InvalidObject, parse_profile
from infadapter_profiles.document import KIND
from infadapter_profiles.files import ProfileFileError, parse_yaml, read_yaml
from infadapter_profiles.profile import Profile


def read_profiles(path: Path) -> tuple[Profile, ...]:
    """The profiles of a file, each named as its document is. Raises ProfileFileError."""
    return _profiles(read_yaml(path), str(path))


def read_preset(name: str) -> tuple[Profile, ...]:
    text = (files("infadapter") / "presets" / f"{name}.yaml").read_bytes()
    return _profiles(parse_yaml(text, name), name)


def _profiles(documents: list[Any], source: str) -> tuple[Profile, ...]:
    profiles = [
        _profile(document, f"{source}, document {number}")
        for number, document in enumerate(documents, start=1)
        if document is not None
    ]
    if not profiles:
        raise ProfileFileError(f"{source} holds no {KIND}.")
    names = [profile.variant for profile in profiles]
    for name in sorted({name for name in names if names.count(name) > 1}):
        raise ProfileFileError(f"{source} holds two profiles called {name}.")
    return tuple(profiles)


def _profile(document: Any, at: str) -> Profile:
    kind = document.get("kind") if isinstance(document, dict) else None
    if kind != KIND:
        raise ProfileFileError(f"{at}: kind must be {KIND}, was {kind}.")
    try:
        read = parse_profile(document)
    except InvalidObject as error:
        raise ProfileFileError(f"{at}: {error}.") from error
    return read.spec.as_profile(read.metadata.name)
