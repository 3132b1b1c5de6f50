"""
Profile documents in YAML files, which may also hold other documents; those are kept unchanged.
"""

import tempfile
from pathlib import Path
from typing import Any

import yaml

from infadapter_profiles.document import (
    MalformedProfile,
    ProfileDocument,
    is_profile,
    name_and_namespace,
    read_document,
    write_document,
)
from infadapter_profiles.whole import replacing

MOST_BYTES = 16 * 1024 * 1024
MOST_NESTED = 100
"""Limit on the nesting of lists and maps, ten times that of a Kubernetes object."""


class ProfileFileError(ValueError):
    """A profile file is invalid; the message is one sentence that names the file."""


class _KeyTwice(Exception):
    """A duplicate key; the message follows the name of the file."""


class _Loader(getattr(yaml, "CSafeLoader", yaml.SafeLoader)):  # type: ignore[misc]
    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Any, Any]:
        seen: set[tuple[str, str]] = set()
        for key, _ in node.value:
            if isinstance(key, yaml.ScalarNode) and (key.tag, key.value) in seen:
                raise _KeyTwice(
                    f", line {key.start_mark.line + 1}: the key {key.value} comes twice: put --- "
                    "between documents"
                )
            seen.add((key.tag, str(key.value)))
        found: dict[Any, Any] = super().construct_mapping(node, deep)
        return found


def read_yaml(path: Path) -> list[Any]:
    """Return the documents of a file. Raises ProfileFileError."""
    try:
        with path.open("rb") as file:
            text = file.read(MOST_BYTES + 1)
    except OSError as error:
        raise ProfileFileError(f"{path} can't be read: {error.strerror}.") from error
    if len(text) > MOST_BYTES:
        raise ProfileFileError(f"{path} is larger than {MOST_BYTES // 2**20} MiB.")
    return parse_yaml(text, str(path))


def parse_yaml(text: bytes, source: str) -> list[Any]:
    """
    Return the documents of a text, None for an empty one. Raises ProfileFileError.

    Aliases are refused, as the API server's own tools do, since a few lines expand to gigabytes.
    Duplicate keys are refused too: YAML readers keep the last one, so documents that lack a `---`
    between them would silently overwrite each other.
    """
    try:
        _check_events(text, source)
        return list(yaml.load_all(text, Loader=_Loader))
    except ProfileFileError:
        raise
    except _KeyTwice as error:
        raise ProfileFileError(f"{source}{error}.") from error
    except (yaml.YAMLError, ValueError, RecursionError) as error:  # ValueError: an invalid date
        raise ProfileFileError(f"{source} is not YAML{_where(error, text)}.") from error


def _check_events(text: bytes, source: str) -> None:
    """Refuse aliases and deep nesting, which would exhaust the loader's memory or stack."""
    nested = 0
    for event in yaml.parse(text, Loader=_Loader):
        nested += isinstance(event, yaml.CollectionStartEvent)
        nested -= isinstance(event, yaml.CollectionEndEvent)
        line = event.start_mark.line + 1 if event.start_mark else 0
        if isinstance(event, yaml.AliasEvent):
            raise ProfileFileError(f"{source}, line {line}: YAML aliases are not understood.")
        if nested > MOST_NESTED:
            raise ProfileFileError(
                f"{source}, line {line}: lists and maps are nested more than {MOST_NESTED} deep."
            )


def find_profile(path: Path, name: str, namespace: str | None) -> ProfileDocument | None:
    """Return one profile of a file, or None when the file or the profile does not exist yet.

    Raises ProfileFileError when the file can't be read, or the profile is malformed.
    """
    for document in _objects(path):
        if is_profile(document) and name_and_namespace(document) == (name, namespace):
            try:
                return read_document(document)
            except MalformedProfile as error:
                raise ProfileFileError(f"{path}: {error}.") from error
    return None


def save_profile(path: Path, profile: ProfileDocument) -> None:
    """Write a profile: replace the one of its name, or append it to the file.

    Raises ProfileFileError when the file can't be read or written; it is never left half written.
    """
    documents, new = _objects(path), write_document(profile)
    names = [name_and_namespace(each) if is_profile(each) else None for each in documents]
    if (same := name_and_namespace(new)) in names:
        documents[names.index(same)] = new
    else:
        documents.append(new)
    text = yaml.safe_dump_all(documents, sort_keys=False, default_flow_style=None, width=100)
    try:
        with replacing(path) as beside:
            beside.write_text(text, encoding="utf-8")
    except OSError as error:
        raise ProfileFileError(f"{path} cannot be written: {error.strerror}.") from error


def check_writable(path: Path) -> None:
    """Raise ProfileFileError unless a file can be created in its folder, as saving requires."""
    if path.exists() and not path.is_file():
        raise ProfileFileError(f"{path} cannot be written: it is no file; name one.")
    try:
        with tempfile.TemporaryFile(dir=_folder(path)):
            pass
    except OSError as error:
        raise ProfileFileError(f"{path} cannot be written: {error.strerror}.") from error


def _objects(path: Path) -> list[dict[str, Any]]:
    documents = [each for each in read_yaml(path) if each is not None] if path.exists() else []
    if not all(isinstance(each, dict) for each in documents):
        raise ProfileFileError(f"{path} must hold Kubernetes documents.")
    return documents


def _folder(path: Path) -> Path:
    return path.resolve().parent


def _where(error: Exception, text: bytes) -> str:
    mark, problem = getattr(error, "problem_mark", None), getattr(error, "problem", None)
    if not mark:
        return ""
    place = f": line {mark.line + 1}, column {mark.column + 1}"
    line = b"".join(text.split(b"\n")[mark.line : mark.line + 1])
    if b"\t" in line[: len(line) - len(line.lstrip())]:
        return f"{place}: YAML is indented by blanks, not by tabs"
    return f"{place}: {problem}" if problem else place
