"""Which forms there are, and which one a file has."""

from collections.abc import Callable

from infadapter_workload.formats import azure
from infadapter_workload.formats.fields import delimiter_of, is_header, split
from infadapter_workload.formats.logs import looks_logged, read_log
from infadapter_workload.formats.moments import is_epoch
from infadapter_workload.formats.numbers import (
    advance_by_seconds,
    names_load,
    read_rates,
    read_table,
)
from infadapter_workload.formats.prometheus import read_answer
from infadapter_workload.formats.stamped import read_stamps, time_column
from infadapter_workload.formats.stream import Stream
from infadapter_workload.trace import Trace, TraceError

FORMATS: dict[str, Callable[[Stream, str], Trace]] = {
    "rates": read_rates,
    "table": read_table,
    "timestamps": read_stamps,  # :COLUMN
    "access-log": read_log,
    "azure-functions-2019": azure.read_2019,  # :FUNCTION
    "azure-functions-2021": azure.read_2021,  # :FUNCTION
    "prometheus": read_answer,
}

_ROWS = 4  # looked at


def read_as(stream: Stream, asked: str | None) -> tuple[str, Trace]:
    """In the form that was asked for, NAME or NAME:OPTION, else the one that it seems to have."""
    name, _, option = (asked or recognised(stream)).partition(":")
    if name not in FORMATS:
        raise TraceError(f"There is no trace format {name!r}; there are {', '.join(FORMATS)}.")
    return name, FORMATS[name](stream, option)


def recognised(stream: Stream) -> str:
    """
    By the first lines. Raises TraceError for a table in which no column can be a time.

    One number a line is a rate, unless the first is above 1e8: then they are time stamps, which
    must never fall. Two columns are times with numbers of requests if the second one's name says
    so, if the times do not count from 1970, or if each is some whole seconds after the one above.
    Other tables with a time have a row for each request.
    """
    if stream.starts_with(b"{"):
        return "prometheus"
    head = [line.text for line in stream.head()[:_ROWS]]
    if not head:
        return "rates"  # which says that it is empty
    if looks_logged(head[0]):
        return "access-log"
    delimiter = delimiter_of(head[0])
    if not delimiter:
        return "timestamps" if any(map(is_epoch, _body(head)[:1])) else "rates"
    return _table(stream, [split(text, delimiter) for text in head])


def _table(stream: Stream, rows: list[list[str]]) -> str:
    first = tuple(rows[0])
    if first[:4] == azure.HEADER_2019:
        return "azure-functions-2019"
    if first == azure.HEADER_2021:
        return "azure-functions-2021"
    if len(first) == 2 and _counts_requests(rows):
        return "table"
    if _is_stamped(rows):
        return "timestamps"
    raise stream.error(
        f"has columns that are in none of the known forms, which are {', '.join(FORMATS)}"
    )


def _is_stamped(rows: list[list[str]]) -> bool:
    """Whether the column of the times holds what can only be points in time."""
    column = time_column(rows[0])
    first = rows[1] if is_header(rows[0]) and len(rows) > 1 else rows[0]
    return column is not None and column < len(first) and is_epoch(first[column])


def _counts_requests(rows: list[list[str]]) -> bool:
    body = rows[1:] if is_header(rows[0]) else rows
    return (
        (body is not rows and names_load(rows[0][1]))
        or not all(is_epoch(row[0]) for row in body)
        or advance_by_seconds([row[0] for row in body])
    )


def _body(lines: list[str]) -> list[str]:
    return lines[1:] if is_header(lines[:1]) else lines
