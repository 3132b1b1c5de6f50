"""An object in each line: JSON, or pairs of a name and a value, as logfmt writes them."""

import json
import re
from collections.abc import Mapping
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
    """Those of the first lines that are one."""
    found = (object_of(line.text) for line in stream.head()[:200])
    return [each for each in found if each is not None]


def looks_paired(lines: list[str]) -> bool:
    """Whether most of the first lines are pairs."""
    paired = sum(not line.startswith("{") and object_of(line) is not None for line in lines[:20])
    return paired > 0 and 2 * paired >= min(len(lines), 20)


def fields_of(found: Object) -> dict[str, str]:
    """`path`, `status` and `method` under the names that servers give them, and all others."""
    flat: dict[str, str] = {}
    for name, value in found.items():
        if isinstance(value, Mapping):
            flat |= {str(key): str(each) for key, each in value.items()}
        else:
            flat[name] = str(value)
    for name, names in (("path", _PATHS), ("status", _STATUSES), ("method", _METHODS)):
        flat[name] = next((flat[each] for each in names if each in flat), "")
    flat["path"] = flat["path"].partition("?")[0]
    asked = logs.request_of(flat.get("request", ""))
    return flat | {name: text for name, text in asked.items() if text and not flat[name]}


def value_at(found: Object, name: str) -> Any:
    """Also of an object within it, as data.time; None where there is none."""
    if name in found:
        return found[name]
    outer, dot, inner = name.partition(".")
    within = found.get(outer) if dot else None
    return value_at(within, inner) if isinstance(within, Mapping) else None


def is_message(found: Object) -> bool:
    """Of a server about itself: it has a level, and names no request."""
    return "level" in found and not _ABOUT & found.keys()


def object_of(text: str) -> Object | None:
    """None where a line is neither."""
    if not text.startswith("{"):
        return _pairs(text)
    try:
        found = json.loads(text)
    except (ValueError, RecursionError):
        return None
    return found if isinstance(found, dict) else None


def _pairs(text: str) -> Object | None:
    """
    All of a line, so that a message in which some stand is none. One behind the other: to look for
    them anywhere takes the square of its length.
    """
    found, end = dict[str, str](), 0
    while match := _PAIR.match(text, end):
        found[match[1]], end = match[2] or match[3] or "", match.end()
    return found if end == len(text) and len(found) >= _LEAST_PAIRS else None
