"""
Tolerant access to statuses and other foreign objects, whose fields may be absent, null or of a
newer version. Nothing raises, because an odd object must not stop the loop of a service.
"""

from collections.abc import Iterator, Mapping
from datetime import datetime
from typing import Any

Json = dict[str, Any]


def seconds(timestamp: str) -> float:
    """Parse a time stamp written by the API server. Raises ValueError."""
    return datetime.fromisoformat(timestamp).timestamp()


def moment(entry: Mapping[str, Any], field: str) -> float | None:
    try:
        return seconds(text(entry, field))
    except ValueError:
        return None


def part(entry: Mapping[str, Any], field: str) -> Mapping[str, Any]:
    value = entry.get(field)
    return value if isinstance(value, Mapping) else {}


def parts(entry: Mapping[str, Any], field: str) -> Iterator[Mapping[str, Any]]:
    value = entry.get(field)
    listed = value if isinstance(value, list | tuple) else ()
    return (each for each in listed if isinstance(each, Mapping))


def text(entry: Mapping[str, Any], field: str) -> str:
    value = entry.get(field)
    return value if isinstance(value, str) else ""


def count(entry: Mapping[str, Any], field: str) -> int:
    value = entry.get(field)
    return value if isinstance(value, int) else 0


def condition(status: Mapping[str, Any], kind: str) -> Mapping[str, Any]:
    nothing: Json = {}
    return next((c for c in parts(status, "conditions") if c.get("type") == kind), nothing)


def is_true(status: Mapping[str, Any], kind: str) -> bool:
    return condition(status, kind).get("status") == "True"


def is_false(status: Mapping[str, Any], kind: str) -> bool:
    """Whether the condition is False; an absent condition is neither."""
    return condition(status, kind).get("status") == "False"
