"""
Read and write the profile document: a VariantProfile of infadapter.io/v1alpha1.

This module alone defines the fields' names, units and bounds. The profiler writes documents with
it, the planner reads them with it, and the API's schema takes its bounds (a test compares its field
names with these). Decimal numbers are strings, as everywhere in that API; latencies are numbers of
milliseconds, resources are quantities.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from infadapter_profiles.profile import (
    KnownCapacity,
    OperatingPoint,
    Point,
    Profile,
    ProfiledAllocation,
    check_profile,
)
from infadapter_profiles.quantities import amounts_as_quantities, decimal_text, parse_amounts
from infadapter_profiles.sizes import PodSize

API_VERSION = "infadapter.io/v1alpha1"
KIND = "VariantProfile"

MOST_ITEMS = 64
"""Limit on the allocations of a profile, and on an allocation's points and known capacities."""

MOST_PERCENTILES = 8
PERCENTILE_KEY = "[1-9][0-9]?([.][0-9]?[1-9])?"
"""Pattern of the percentiles that key latencies, such as "50" or "99.9"."""

MOST_NUMBER = 10**12
"""Limit on decimals: at most twelve digits before the point."""
MOST_LATENCY_MS = 3_600_000
MOST_SLO_MS = 600_000
MOST_BATCH_SIZE = 4_096
MOST_MEMORY_MEBIBYTES = 2**30
MEBIBYTE = 2**20
MOST_LETTERS = 512
"""Limit on the length of the machine's name, the server's name and a warning, in characters."""

Json = dict[str, Any]


class MalformedProfile(ValueError):
    """A profile document lacks a field or holds an invalid one; the message names the field."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ProfileDocument:
    """A profile with its namespace and the origin of its numbers; its name is the variant's."""

    profile: Profile
    namespace: str | None = None
    measured_at: str | None = None  # RFC 3339
    machine: str | None = None
    server: str | None = None
    warning: str | None = None  # why the numbers are doubtful, if they were written despite that


def is_profile(document: Mapping[str, Any]) -> bool:
    return document.get("apiVersion") == API_VERSION and document.get("kind") == KIND


def name_and_namespace(document: Mapping[str, Any]) -> tuple[str, str | None]:
    metadata = document.get("metadata")
    metadata = metadata if isinstance(metadata, dict) else {}
    namespace = metadata.get("namespace")
    return str(metadata.get("name", "")), None if namespace is None else str(namespace)


def write_document(document: ProfileDocument) -> Json:
    """Return the document as JSON. Rates, times and ratios are rounded to measurement precision."""
    profile = document.profile
    spec = {
        "accuracy": decimal_text(profile.accuracy, 5),
        "loadSeconds": decimal_text(profile.load_time_s, 3),
        **_given(warmLoadSeconds=_decimal(profile.warm_load_time_s, 3)),
        **_given(
            operatingPoints=[_write_operating(point) for point in profile.operating_points] or None
        ),
        "allocations": [_write_allocation(each) for each in profile.allocations],
    }
    metadata = _given(name=profile.variant, namespace=document.namespace)
    status = _given(
        measuredAt=document.measured_at,
        machine=document.machine,
        server=document.server,
        warning=document.warning,
    )
    return _given(
        apiVersion=API_VERSION, kind=KIND, metadata=metadata, spec=spec, status=status or None
    )


def read_document(document: Mapping[str, Any]) -> ProfileDocument:
    """Raises MalformedProfile."""
    name, namespace = name_and_namespace(document)
    status = document.get("status") or {}
    try:
        return ProfileDocument(
            profile=read_spec(name, document["spec"]),
            namespace=namespace,
            measured_at=status.get("measuredAt"),
            machine=status.get("machine"),
            server=status.get("server"),
            warning=status.get("warning"),
        )
    except KeyError as error:
        raise MalformedProfile(f"the profile {name} lacks {error.args[0]}") from error
    except (TypeError, ValueError, AttributeError, OverflowError, IndexError) as error:
        raise MalformedProfile(f"the profile {name} is malformed: {error}") from error


def read_spec(variant: str, spec: Mapping[str, Any]) -> Profile:
    """
    Return the profile in a spec. Decimals may be JSON numbers as well as strings.

    Raises LookupError, TypeError, ValueError, AttributeError or OverflowError for a malformed spec.
    """
    profile = Profile(
        variant=variant,
        accuracy=_number(spec, "accuracy", most=1),
        load_time_s=_number(spec, "loadSeconds"),
        warm_load_time_s=_optional(spec, "warmLoadSeconds"),
        operating_points=tuple(_read_operating(each) for each in spec.get("operatingPoints") or ()),
        allocations=tuple(_read_allocation(each) for each in spec["allocations"]),
    )
    check_profile(profile)
    return profile


def _write_operating(point: OperatingPoint) -> Json:
    return {"name": point.name, "accuracy": decimal_text(point.accuracy, 5)}


def _read_operating(written: Mapping[str, Any]) -> OperatingPoint:
    return OperatingPoint(name=str(written["name"]), accuracy=_number(written, "accuracy", most=1))


def _write_allocation(allocation: ProfiledAllocation) -> Json:
    return _given(
        resources=amounts_as_quantities(allocation.resources),
        batchSize=allocation.size.batch_size,
        operatingPoint=allocation.operating_point,
        memoryMebibytes=_mebibytes(allocation.memory_bytes),
        saturationRps=_decimal(allocation.saturation_rps, 3),
        points=[_write_point(point) for point in allocation.points] or None,
        capacity=[_write_capacity(known) for known in allocation.capacity] or None,
    )


def _read_allocation(written: Mapping[str, Any]) -> ProfiledAllocation:
    resources, batch_size = parse_amounts(written["resources"]), int(written.get("batchSize", 1))
    return ProfiledAllocation(
        size=PodSize(resources=resources, batch_size=batch_size),
        operating_point=written.get("operatingPoint"),
        memory_bytes=_bytes(_optional(written, "memoryMebibytes")),
        saturation_rps=_optional(written, "saturationRps"),
        points=tuple(_read_point(point) for point in written.get("points") or ()),
        capacity=tuple(_read_capacity(known) for known in written.get("capacity") or ()),
    )


def _write_point(point: Point) -> Json:
    return {
        "rps": decimal_text(point.rps, 3),
        "latencyMilliseconds": {f"{p:g}": round(1000 * s, 6) for p, s in point.latency_s.items()},
        "refusedRatio": decimal_text(point.refused_ratio, 5),
    }


def _read_point(written: Mapping[str, Any]) -> Point:
    latency_ms = written["latencyMilliseconds"]
    return Point(
        rps=_number(written, "rps"),
        latency_s={float(p): _number(latency_ms, p, MOST_LATENCY_MS) / 1000 for p in latency_ms},
        refused_ratio=_number(written, "refusedRatio", 1) if "refusedRatio" in written else 0.0,
    )


def _write_capacity(known: KnownCapacity) -> Json:
    return _given(
        latencyMilliseconds=round(1000 * known.latency_s),
        percentile=known.percentile,
        rps=decimal_text(known.rps, 3),
        lowRps=_decimal(known.low_rps, 3),
        highRps=_decimal(known.high_rps, 3),
        missedRatio=_decimal(known.missed_ratio, 5),
    )


def _read_capacity(written: Mapping[str, Any]) -> KnownCapacity:
    return KnownCapacity(
        latency_s=_number(written, "latencyMilliseconds", MOST_SLO_MS) / 1000,
        percentile=float(written["percentile"]),
        rps=_number(written, "rps"),
        low_rps=_optional(written, "lowRps"),
        high_rps=_optional(written, "highRps"),
        missed_ratio=_optional(written, "missedRatio", most=1),
    )


def _optional(written: Mapping[str, Any], field: str, most: float = MOST_NUMBER) -> float | None:
    return _number(written, field, most) if field in written else None


def _number(written: Mapping[str, Any], field: str, most: float = MOST_NUMBER) -> float:
    value = float(written[field])
    if not 0 <= value <= most:
        raise ValueError(f"{field} is no number from 0 to {most:g}")
    return value


def _decimal(value: float | None, digits: int) -> str | None:
    return None if value is None else decimal_text(value, digits)


def _mebibytes(size_bytes: int | None) -> int | None:
    """Round up, so that the result suffices as a memory limit."""
    return None if size_bytes is None else -(-size_bytes // MEBIBYTE)


def _bytes(mebibytes: float | None) -> int | None:
    return None if mebibytes is None else int(mebibytes) * MEBIBYTE


def _given(**fields: Any) -> Json:
    return {name: value for name, value in fields.items() if value is not None}
