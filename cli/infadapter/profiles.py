"""Read profiles from a file that `kubectl apply` would take, validated by the same models."""

from collections.abc import Iterator
from functools import cache
from importlib.resources import files
from pathlib import Path
from typing import Any

from infadapter_operator.api.objects import InvalidObject, parse_profile
from infadapter_profiles.document import KIND
from infadapter_profiles.files import ProfileFileError, parse_yaml, read_yaml
from infadapter_profiles.profile import Profile


def read_profiles(path: Path) -> tuple[Profile, ...]:
    """Return the profiles of a file, named like their documents. Raises ProfileFileError."""
    return _profiles(read_yaml(path), str(path))


@cache
def read_preset(name: str) -> tuple[Profile, ...]:
    text = (files("infadapter") / "presets" / f"{name}.yaml").read_bytes()
    return _profiles(parse_yaml(text, name), name)


def _profiles(documents: list[Any], source: str) -> tuple[Profile, ...]:
    found = list(_objects(documents, source))
    profiles = [_profile(document, at) for document, at in found if _kind(document, at) == KIND]
    if not profiles:
        others = sorted({_kind(document, at) for document, at in found})
        told = f", only {', '.join(others)}" if others else ""
        raise ProfileFileError(f"{source} holds no {KIND}{told}.")
    names = [profile.variant for profile in profiles]
    for name in sorted({name for name in names if names.count(name) > 1}):
        raise ProfileFileError(f"{source} holds two profiles called {name}.")
    return tuple(profiles)


def _objects(documents: list[Any], source: str) -> Iterator[tuple[Any, str]]:
    """
    Yield each object with its place in the file; for lists, as from `kubectl get -o yaml`, the
    items.
    """
    for number, document in enumerate(documents, start=1):
        if document is not None:
            yield from _unlisted(document, f"{source}, document {number}")


def _unlisted(document: Any, at: str) -> Iterator[tuple[Any, str]]:
    """Yield the items of nested lists. Items without a kind have that of their list."""
    items = document.get("items") if isinstance(document, dict) else None
    kind = str(document.get("kind", "List")) if isinstance(items, list) else ""
    if not isinstance(items, list) or not kind.endswith("List"):
        yield document, at
        return
    missing = {"kind": kind.removesuffix("List"), "apiVersion": document.get("apiVersion")}
    for place, item in enumerate(items, start=1):
        typed = isinstance(item, dict) and "kind" not in item and "items" not in item
        yield from _unlisted({**missing, **item} if typed else item, f"{at}, item {place}")


def _kind(document: Any, at: str) -> str:
    kind = document.get("kind") if isinstance(document, dict) else None
    if not isinstance(kind, str):
        raise ProfileFileError(f"{at}: it is no Kubernetes object: kind must be {KIND}.")
    return kind


def _profile(document: Any, at: str) -> Profile:
    try:
        read = parse_profile(document)
    except InvalidObject as error:
        raise ProfileFileError(f"{at}: {error}.") from error
    try:
        return read.spec.as_profile(read.metadata.name)
    except ValueError as error:  # rows that contradict each other
        raise ProfileFileError(f"{at}: {error}.") from error
