"""The parts of a request's line and headers that matter to inference."""

from collections.abc import Iterable
from functools import lru_cache
from math import nan
from typing import NamedTuple

from infadapter_profiles import wire
from infadapter_server.serving.replies import JSON_LENGTH

__all__ = ["Head", "Names", "asked_of", "asked_of_url", "number_in", "read_head"]

Names = tuple[str, str | None]
"""Model, and version if given."""

_INFER = "/infer"
_DEADLINE = wire.DEADLINE_HEADER.encode()
_FLOOR = wire.FLOOR_HEADER.encode()
_LONGEST_NUMBER = 24
_URLS = 1024  # that are remembered


class Head(NamedTuple):
    """The relevant headers."""

    length: bytes = b""
    json_length: str | None = None
    deadline: bytes | None = None
    encoding: str = ""
    floor: bytes | None = None  # where there are several, with commas between them


def read_head(headers: Iterable[tuple[bytes, bytes]]) -> Head:
    """Parse headers; their names are in lower case."""
    length, json_length, deadline, encoding, floor = b"", None, None, "", None
    for name, value in headers:
        if name == b"content-length":
            length = value
        elif name == JSON_LENGTH:
            json_length = value.decode("latin-1")
        elif name == _DEADLINE:
            deadline = value
        elif name == _FLOOR:
            floor = value if floor is None else floor + b"," + value
        elif name == b"content-encoding":
            encoding = value.decode("latin-1")
    return Head(length, json_length, deadline, encoding, floor)


def asked_of(path: str) -> Names | None:
    """Return the names in an inference path, or None."""
    if not path.startswith(wire.MODELS_PATH) or not path.endswith(_INFER):
        return None
    match path[len(wire.MODELS_PATH) + 1 : -len(_INFER)].split("/"):
        case [model]:
            return model, None
        case [model, "versions", version]:
            return model, version
    return None


def number_in(value: bytes) -> float:
    """Return the number in a header; NaN if there is none."""
    try:
        return float(value[:_LONGEST_NUMBER])
    except ValueError:
        return nan


@lru_cache(_URLS)
def asked_of_url(url: bytes) -> Names | None:
    """Return the names from a request line's URL; None as well if it is more than a plain path."""
    if b"%" in url or b"?" in url or b"#" in url or not url.isascii():
        return None
    return asked_of(url.decode())
