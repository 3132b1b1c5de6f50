"""Access logs: of nginx and Apache, and of Envoy in its default form."""

import re

from infadapter_workload.formats.moments import logged_ns, moment_ns
from infadapter_workload.formats.stamps import Stamps
from infadapter_workload.formats.stream import Line, Stream, shown
from infadapter_workload.trace import Trace

# In brackets: first what nginx and Apache write, after the user's name; then what Envoy begins with
_STAMP = re.compile(
    r"\[(?:(\d\d/[A-Z][a-z]{2}/\d{4}:\d\d:\d\d:\d\d [+-]\d{4})"
    r"|(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.\d{1,9})?Z))\]"
)


def looks_logged(text: str) -> bool:
    return _STAMP.search(text) is not None


def read_log(stream: Stream, option: str = "") -> Trace:
    """
    One request a line. A line is written when its request ends, so they are sorted by their start.
    """
    stamps = Stamps()
    for line in stream.lines():
        stamps.add(_start_ns(line), line)
    return stamps.trace(stream, "requests")


def _start_ns(line: Line) -> int:
    match = _STAMP.search(line.text)
    if not match:
        raise line.error(f"there is no time of a request in {shown(line.text)}")
    try:
        return logged_ns(match[1]) if match[1] else moment_ns(match[2])
    except ValueError:
        raise line.error(f"{shown(match[1] or match[2])} is not a time") from None
