"""Profiles as files: VariantProfile documents of infadapter.io/v1alpha1, several to a file.

Decimal numbers are strings, as everywhere in that API; latencies are numbers. Documents of other
kinds and names in a file stay as they are.
"""

import os
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal, InvalidOperation
from pathlib import Path
from typing import Any

import yaml

API_VERSION = "infadapter.io/v1alpha1"
KIND = "VariantProfile"
MAX_FILE_BYTES = 16 * 1024 * 1024

Document = dict[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class Point:
    """What was measured at one rate."""

    rps: float
    latency_ms: Mapping[float, float]  # by percentile; only those with enough requests behind
    refused_ratio: float = 0.0


@dataclass(frozen=True, slots=True, kw_only=True)
class AllocationProfile:
    """One size of pod."""

    resources: Mapping[str, str]  # Kubernetes quantities: {"cpu": "500m"}
    batch_size: int = 1
    saturation_rps: float
    points: tuple[Point, ...]  # by rate


@dataclass(frozen=True, slots=True, kw_only=True)
class VariantProfile:
    """All that was measured of a variant."""

    name: str
    accuracy: float  # a fraction
    load_s: float  # from the start of the process until it is ready
    allocations: tuple[AllocationProfile, ...]
    namespace: str | None = None
    measured_at: str | None = None  # RFC 3339
    machine: str | None = None
    server: str | None = None


class ProfileFileError(Exception):
    """A file that is not what it should be; the message is one sentence that names it."""


def quantity(text: str) -> str:
    """Return an amount in the one form we write: 0.5 is 500m, 4000m is 4.

    Raises ValueError unless it is a positive decimal number, in thousandths with an m behind.
    """
    try:
        number = Decimal(text.removesuffix("m")) * (1 if text.endswith("m") else 1000)
    except InvalidOperation as error:
        raise ValueError(f"{text!r} is not an amount such as 4 or 500m") from error
    if not (number.is_finite() and number > 0 and number == number.to_integral_value()):
        raise ValueError(f"{text!r} is not a positive amount in whole thousandths")
    thousandths = int(number)
    return f"{thousandths}m" if thousandths % 1000 else str(thousandths // 1000)


def find_profile(path: Path, name: str, namespace: str | None) -> VariantProfile | None:
    """Return one profile of a file, or None when the file or the profile does not exist yet.

    Raises ProfileFileError when the file cannot be read, or the profile cannot be understood.
    """
    if not path.exists():
        return None
    for document in _read(path):
        if _is_profile(document) and _identity(document) == (name, namespace):
            return _parsed(document, path)
    return None


def check_writable(path: Path) -> None:
    """Raise ProfileFileError unless its folder takes a file, as saving a profile will need."""
    try:
        with tempfile.TemporaryFile(dir=_folder(path)):
            pass
    except OSError as error:
        raise ProfileFileError(f"{path} cannot be written: {error.strerror}.") from error


def save_profile(path: Path, profile: VariantProfile) -> None:
    """Write a profile in place of the one of its name, or behind those that the file holds.

    Raises ProfileFileError when the file cannot be read or written; it is never left half written.
    """
    documents = _read(path) if path.exists() else []
    names = [_identity(document) if _is_profile(document) else None for document in documents]
    new = document_of(profile)
    if (profile.name, profile.namespace) in names:
        documents[names.index((profile.name, profile.namespace))] = new
    else:
        documents.append(new)
    text = yaml.safe_dump_all(documents, sort_keys=False, default_flow_style=None, width=100)
    try:
        _replace(path, text)
    except OSError as error:
        raise ProfileFileError(f"{path} cannot be written: {error.strerror}.") from error


def document_of(profile: VariantProfile) -> Document:
    """Return the profile as its document."""
    metadata = {"name": profile.name, "namespace": profile.namespace}
    status = {
        "measuredAt": profile.measured_at,
        "machine": profile.machine,
        "server": profile.server,
    }
    document: Document = {
        "apiVersion": API_VERSION,
        "kind": KIND,
        "metadata": _given(metadata),
        "spec": {
            "accuracy": _decimal(profile.accuracy, 5),
            "loadSeconds": _decimal(profile.load_s, 3),
            "allocations": [_allocation_document(each) for each in profile.allocations],
        },
    }
    return document | ({"status": _given(status)} if _given(status) else {})


def _allocation_document(allocation: AllocationProfile) -> Document:
    return {
        "resources": dict(allocation.resources),
        "batchSize": allocation.batch_size,
        "saturationRps": _decimal(allocation.saturation_rps, 3),
        "points": [_point_document(point) for point in allocation.points],
    }


def _point_document(point: Point) -> Document:
    return {
        "rps": _decimal(point.rps, 3),
        "latencyMilliseconds": {f"{p:g}": ms for p, ms in point.latency_ms.items()},
        "refusedRatio": _decimal(point.refused_ratio, 5),
    }


def _parsed(document: Document, path: Path) -> VariantProfile:
    name, namespace = _identity(document)
    status = document.get("status") or {}
    try:
        spec = document["spec"]
        return VariantProfile(
            name=name,
            namespace=namespace,
            accuracy=float(spec["accuracy"]),
            load_s=float(spec["loadSeconds"]),
            allocations=tuple(_parsed_allocation(each) for each in spec["allocations"]),
            measured_at=status.get("measuredAt"),
            machine=status.get("machine"),
            server=status.get("server"),
        )
    except KeyError as error:
        raise ProfileFileError(f"{path}: the profile {name} lacks {error.args[0]}.") from error
    except (TypeError, ValueError, AttributeError) as error:
        raise ProfileFileError(f"{path}: the profile {name} is malformed: {error}.") from error


def _parsed_allocation(allocation: Mapping[str, Any]) -> AllocationProfile:
    resources = {name: quantity(str(text)) for name, text in allocation["resources"].items()}
    return AllocationProfile(
        resources=resources,
        batch_size=int(allocation.get("batchSize", 1)),
        saturation_rps=float(allocation["saturationRps"]),
        points=tuple(_parsed_point(point) for point in allocation["points"]),
    )


def _parsed_point(point: Mapping[str, Any]) -> Point:
    latency_ms = point["latencyMilliseconds"].items()
    return Point(
        rps=float(point["rps"]),
        latency_ms={float(percent): float(ms) for percent, ms in latency_ms},
        refused_ratio=float(point.get("refusedRatio", 0)),
    )


def _read(path: Path) -> list[Document]:
    try:
        with path.open(encoding="utf-8") as file:
            text = file.read(MAX_FILE_BYTES + 1)
    except (OSError, UnicodeDecodeError) as error:
        reason = getattr(error, "strerror", None) or "it is not text"
        raise ProfileFileError(f"{path} cannot be read: {reason}.") from error
    if len(text) > MAX_FILE_BYTES:
        raise ProfileFileError(f"{path} is larger than {MAX_FILE_BYTES} characters.")
    try:
        documents = [each for each in yaml.safe_load_all(text) if each is not None]
    except (yaml.YAMLError, ValueError) as error:  # ValueError: a date that is none
        raise ProfileFileError(f"{path} is not YAML: {_first_line(error)}.") from error
    if not all(isinstance(each, dict) for each in documents):
        raise ProfileFileError(f"{path} must hold Kubernetes documents.")
    return documents


def _is_profile(document: Document) -> bool:
    return document.get("apiVersion") == API_VERSION and document.get("kind") == KIND


def _identity(document: Document) -> tuple[str, str | None]:
    metadata = document.get("metadata")
    metadata = metadata if isinstance(metadata, dict) else {}
    namespace = metadata.get("namespace")
    return str(metadata.get("name", "")), None if namespace is None else str(namespace)


def _replace(path: Path, text: str) -> None:
    with tempfile.NamedTemporaryFile(
        "w", dir=_folder(path), delete=False, encoding="utf-8"
    ) as file:
        file.write(text)
    Path(file.name).chmod(0o644)
    os.replace(file.name, path)


def _folder(path: Path) -> Path:
    return path.resolve().parent


def _decimal(value: float, digits: int) -> str:
    text = f"{value:.{digits}f}"
    return text.rstrip("0").rstrip(".")


def _given(fields: Mapping[str, str | None]) -> dict[str, str]:
    return {name: value for name, value in fields.items() if value is not None}


def _first_line(error: Exception) -> str:
    lines: Sequence[str] = str(error).splitlines()
    return lines[0] if lines else type(error).__name__
