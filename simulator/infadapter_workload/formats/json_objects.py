"""Parse one object per line: JSON, or pairs of name and value in logfmt."""

import json
import re
from collections.abc import Mapping
from decimal import Decimal
from typing import Any

from infadapter_workload.formats import logs
from infadapter_workload.formats.stream import Stream

_PATHS = ("path", "request_uri", "uri", "url", "RequestPath", "requestUrl", "http_path")
_STATUSES = ("status", "response_code", "DownstreamStatus", "code", "status_code")
_METHODS = ("method", "request_method", "RequestMethod", "requestMethod")
_ABOUT = {
    *(*_PATHS, *_STATUSES, *_METHODS, "request", "req", "http", "httpRequest", "verb", "route"),
}

Object = Mapping[str, Any]

_PAIR = re.compile(r'\s*([A-Za-z_@][\w.@-]*)=(?:"((?:[^"\\]|\\.)*)"|([^\s"]*))(?=\s|$)')
_LEAST_PAIRS = 3


def objects_in(stream: Stream) -> list[Object]:
    """Return the objects among the first lines."""
    found = (object_of(line.text) for line in stream.head()[:200])
    return [each for each in found if each is not None]


def looks_paired(lines: list[str]) -> bool:
    """Whether most of the first lines are pairs of name and value."""
    paired = sum(not line.startswith("{") and object_of(line) is not None for line in lines[:20])
    return paired > 0 and 2 * paired >= min(len(lines), 20)


def fields_of(found: Object) -> dict[str, str]:
    """
    Return all fields as text, with `path`, `status` and `method` added from the names that servers
    use for them.
    """
    flat: dict[str, str] = {}
    for name, value in found.items():
        if isinstance(value, Mapping):
            flat |= {str(key): str(each) for key, each in value.items()}
        else:
            flat[name] = str(value)
    for name, names in (("path", _PATHS), ("status", _STATUSES), ("method", _METHODS)):
        flat[name] = next((flat[each] for each in names if each in flat), "")
    flat["path"] = flat["path"].partition("?")[0]
    options = logs.request_of(flat.get("request", ""))
    return flat | {name: text for name, text in options.items() if text and not flat[name]}


def value_at(found: Object, name: str) -> Any:
    """
    Return the value of a name, or of a path within nested objects such as data.time; None if
    absent.
    """
    if name in found:
        return found[name]
    outer, dot, inner = name.partition(".")
    within = found.get(outer) if dot else None
    return value_at(within, inner) if isinstance(within, Mapping) else None


def is_message(found: Object) -> bool:
    """
    Whether the object is a log message of the server: it has a level and no field of a request.
    """
    return "level" in found and not _ABOUT & found.keys()


def object_of(text: str) -> Object | None:
    """Parse a line; None if it is neither JSON nor pairs."""
    if not text.startswith("{"):
        return _pairs(text)
    try:
        found = json.loads(text, parse_float=Decimal)  # floats lose digits
    except (ValueError, RecursionError, ArithmeticError):
        return None
    return found if isinstance(found, dict) else None


def _pairs(text: str) -> Object | None:
    """
    Parse a line that consists of pairs only, so that a message that contains some is not accepted.
    The pairs are matched one after the other, because searching for them takes quadratic time.
    """
    found, end = dict[str, str](), 0
    while match := _PAIR.match(text, end):
        found[match[1]], end = match[2] or match[3] or "", match.end()
    return found if end == len(text) and len(found) >= _LEAST_PAIRS else None
