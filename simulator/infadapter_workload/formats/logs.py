"""
Reader of access logs of servers and balancers, one request per line: nginx, Apache, Envoy, HAProxy
…
"""

import re
from collections import Counter

from infadapter_workload.formats.filters import wanted
from infadapter_workload.formats.left_out import LeftOut
from infadapter_workload.formats.moments import logged_ns, moment_ns
from infadapter_workload.formats.stamps import Stamps
from infadapter_workload.formats.stream import Line, Stream, shown
from infadapter_workload.read_options import ReadOptions
from infadapter_workload.series import Series

# In brackets: what nginx, Apache, S3 and HAProxy write, then what Envoy and others begin with; bare
# at the beginning: what AWS's balancers, Squid, Caddy's console, Heroku and Fastly write, and any
# time before a request in quotes.
_LOGGED = r"\d\d/[A-Z][a-z]{2}/\d{4}[: ]\d\d:\d\d:\d\d(?:\.\d{1,9})?(?: [+-]\d{4})?"
_ISO = r"\d{4}-\d\d-\d\d[T ]\d\d:\d\d:\d\d(?:[.,]\d{1,9})?(?: ?(?:Z|UTC|[+-]\d\d:?\d\d))?"
_QUOTED = r'"[A-Z]{3,10} \S+ HTTP/\d'
_STAMP = re.compile(
    rf"\[({_LOGGED})\]|\[({_ISO})\]"
    rf"|^(?:(?:http|https|h2|grpcs|ws|wss) )?(\d{{4}}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{{6}}Z) \S"
    rf"|^(?:<\d{{1,3}}>)?({_ISO}),? (?=\S*\[router\]: at=|cache-\S+ |.*{_QUOTED})"
    r"|^tls \d\.\d (\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d) net/"
    r"|^(\d{10}\.\d{3}) +\d+ \S+ [A-Z_]+/\d{3} "
    r"|^(\d{4}/\d\d/\d\d \d\d:\d\d:\d\d\.\d{3})\s+\S+\s+http\.log\.access"
)
# A request in quotes, and what follows it; a message of the server itself has neither
_REQUEST = re.compile(
    r'"([A-Z]{3,10}|-|<BADREQ>) ?([^" ]*)(?: [A-Z]+/[\d.]+)?[^"]*"(?:[ |]+(\d{3})\b)?'
)
_STATUS_BEFORE = re.compile(r" (\d{3}) (?:\d{3} |-?\d+ )")
_SQUID = re.compile(r" [A-Z_]+/(\d{3}) \d+ ([A-Z]+) (\S+)")
_OWN_MESSAGE = re.compile(
    r"^\[?[^\]]{0,40}\]? ?\[(?:[a-z_0-9]+:)?(?:emerg|alert|crit|error|warn|notice|info|debug"
    r"|warning|trace|critical)\]"
)
PROBES = re.compile(r"kube-probe|ELB-HealthChecker|GoogleHC|/healthz|/readyz|/livez")
_HEADS = 20


def looks_logged(lines: list[str]) -> bool:
    """
    Whether most of the first lines are requests; the start-up messages of a server may be between
    them.
    """
    logged = sum(map(is_request, lines[:_HEADS]))
    return logged > 0 and 2 * logged >= min(len(lines), _HEADS)


def is_request(text: str) -> bool:
    return _STAMP.search(text) is not None and _OWN_MESSAGE.match(text) is None


def read_log(stream: Stream, options: ReadOptions, option: str = "") -> Series:
    """Read one request per line, sorted by start, since a line is written when its request ends."""
    stamps, left_out, seen = Stamps(options.to_s), LeftOut(), Counter[str]()
    for line in stream.all_lines():
        moment = _start_ns(line)
        if isinstance(moment, str):
            left_out.add(line, moment, stamps.count + left_out.others)
        elif options.only and not wanted(options.only, fields_of(line.text)):
            left_out.others += 1
        else:
            stamps.add(moment, line)
            seen["probes"] += PROBES.search(line.text) is not None
        if stamps.enough():
            break
    left_out.check(stamps.count + left_out.others)
    stamps.notes += [*left_out.said(), *probes_said(seen["probes"])]
    return stamps.series(stream, "an access log, a line for each request", "requests")


def fields_of(text: str) -> dict[str, str]:
    """Return `method`, `path` without its query and `status`, as far as the line contains them."""
    if squid := _SQUID.search(text):
        return {"status": squid[1], "method": squid[2], "path": _path(squid[3])}
    match = _REQUEST.search(text)
    if not match:
        return {}
    method, target, status = match.groups(default="")
    if not status:  # HAProxy and AWS's load balancers write the status before the request
        before = _STATUS_BEFORE.findall(text[: match.start()])
        status = before[-1] if before else ""
    return {"method": method, "path": _path(target), "status": status}


def request_of(text: str) -> dict[str, str]:
    """Return the same fields of a request line alone: GET /a HTTP/1.1."""
    return {name: found for name, found in fields_of(f'"{text}"').items() if name != "status"}


def _path(target: str) -> str:
    return re.sub(r"^\w+://[^/]*", "", target).partition("?")[0] or target


def probes_said(found: int) -> list[str]:
    if not found:
        return []
    return [
        f"{found:,} of its requests look like probes, which are no load: leave them out with "
        "--trace-only path!=/healthz"
    ]


def _start_ns(line: Line) -> int | str:
    """Return the start of the line's request, or the reason why there is none."""
    match = _STAMP.search(line.text)
    if not match or _OWN_MESSAGE.match(line.text):
        return f"there is no time of a request in {shown(line.text)}"
    logged, iso, *others = match.groups()
    bare = iso or next((each for each in others if each), "")
    if line.cut and _is_cut(line.text, logged):
        return f"it is cut off after {shown(line.text[-20:])}"
    try:
        return logged_ns(logged) if logged else moment_ns(bare)
    except ValueError:
        return f"{shown(logged or bare)} is not a time"


def _is_cut(text: str, logged: str | None) -> bool:
    """Whether the line ends within the request, or before its status."""
    if text.count('"') % 2:
        return True
    return bool(logged and '"' in text and text.endswith('"') and not re.search(r'" ', text))
