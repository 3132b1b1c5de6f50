"""The known trace formats, and the detection of a file's format."""

from collections.abc import Callable
from typing import NamedTuple

from infadapter_workload.formats import azure
from infadapter_workload.formats.columns import Table, table_of
from infadapter_workload.formats.fields import is_header, split
from infadapter_workload.formats.json_lines import read_json_lines
from infadapter_workload.formats.json_objects import looks_paired, objects_in
from infadapter_workload.formats.layout import layout_of
from infadapter_workload.formats.logs import looks_logged, read_log
from infadapter_workload.formats.moments import is_epoch
from infadapter_workload.formats.names import is_time, time_unit
from infadapter_workload.formats.numbers import read_rates
from infadapter_workload.formats.prometheus import read_answer
from infadapter_workload.formats.stamped import read_stamps
from infadapter_workload.formats.stream import Stream
from infadapter_workload.formats.tables import read_table
from infadapter_workload.formats.w3c import names_fields, read_w3c
from infadapter_workload.read_options import ReadOptions
from infadapter_workload.series import Series
from infadapter_workload.trace import TraceError


class Format(NamedTuple):
    read: Callable[[Stream, ReadOptions, str], Series]
    help: str
    option: str = ""  # meaning of what may follow its name and a colon


FORMATS: dict[str, Format] = {
    "rates": Format(read_rates, "requests per second, one number a line"),
    "table": Format(read_table, "a time and numbers of requests in each row, evenly spaced"),
    "timestamps": Format(read_stamps, "a time for each request, one a line or row", "COLUMN"),
    "access-log": Format(
        read_log, "nginx, Apache, Envoy, HAProxy, AWS balancers and S3, Squid: a request a line"
    ),
    "w3c": Format(read_w3c, "logs with #Fields: IIS, CloudFront"),
    "json-lines": Format(
        read_json_lines, "Envoy, Caddy, nginx, Traefik, Mooncake: a request a line", "NAME"
    ),
    "azure-functions-2019": Format(azure.read_2019, "minutes as columns", "FUNCTION"),
    "azure-functions-2021": Format(azure.read_2021, "an invocation a row", "FUNCTION"),
    "prometheus": Format(read_answer, "the JSON of a range query, also of promtool -o json"),
}


def read_as(stream: Stream, options: ReadOptions) -> tuple[str, Series]:
    """
    Read the file in the format given as NAME or NAME:OPTION, or else in the detected one. Return
    the format's name, too.
    """
    name, _, option = (options.format or recognised(stream, options)).partition(":")
    if name not in FORMATS:
        raise TraceError(f"There is no trace format {name!r}; there are {', '.join(FORMATS)}.")
    return name, FORMATS[name].read(stream, options, option)


def recognised(stream: Stream, options: ReadOptions) -> str:
    """
    Detect the format from the first lines. Raises TraceError for a table without a column that can
    be a time.

    One number per line is a rate, unless the first is above 1e8: those are time stamps, which must
    not decrease. Tables are recognised by column names and by their times: if rows are whole
    seconds apart, each holds a number of requests; otherwise a row is one request.
    """
    if stream.starts_with(b"{") or stream.starts_with(b"["):
        found = _json(stream)
        if found:
            return found
    if names_fields(stream):
        return "w3c"
    head = [line.text for line in stream.head()]
    if looks_logged(head):
        return "access-log"
    if looks_paired(head):
        return "json-lines"
    if head and tuple(split(head[0], ",")[:4]) == azure.HEADER_2019:
        return "azure-functions-2019"
    table = table_of(stream)
    if table is None:
        named = is_header(head[:1]) and is_time(head[0]) and time_unit(head[0]) is not None
        return "timestamps" if named or any(map(is_epoch, _body(head)[:1])) else "rates"
    return _table(stream, table, options)


def _json(stream: Stream) -> str | None:
    """Return the JSON format, or None: a line of an access log may begin with a bracket, too."""
    objects = objects_in(stream)
    if not objects:
        looks = stream.starts_with(b"{") or stream.starts_with(b"[{")
        return "prometheus" if looks else None
    first = objects[0]
    answer = "data" in first or "resultType" in first or first.get("status") in ("error", "success")
    return "prometheus" if len(objects) == 1 and (answer or not first) else "json-lines"


def _table(stream: Stream, table: Table, options: ReadOptions) -> str:
    if table.names == azure.HEADER_2021:
        return "azure-functions-2021"
    if not table.rows:
        return "table"  # its reader reports that the file has no rows
    layout = layout_of(stream, table, options, per_request=None)
    return "table" if layout.choice.columns else "timestamps"


def _body(lines: list[str]) -> list[str]:
    """Return the lines below a header, if there is one."""
    return lines[1:] if is_header(lines[:1]) else lines
