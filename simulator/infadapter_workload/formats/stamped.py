"""A time stamp for each request: one a line, or a column of a table."""

from infadapter_workload.formats.fields import delimiter_of, is_header, split
from infadapter_workload.formats.moments import is_epoch, moment_ns
from infadapter_workload.formats.stamps import Stamps
from infadapter_workload.formats.stream import Line, Stream, shown
from infadapter_workload.trace import Trace

_NAMES = ("timestamp", "time", "ts", "datetime", "date", "start_time", "arrival", "arrival_time")


def read_stamps(stream: Stream, option: str = "") -> Trace:
    """The column of that name, or the one that `time_column` finds; in order."""
    stamps = Stamps()
    column = 0
    for index, line in enumerate(stream.lines()):
        fields = split(line.text, delimiter_of(line.text) or ",")
        if index == 0:
            column = _column(line, fields, option)
            if is_header([fields[column]]):
                continue
        if len(fields) <= column:
            raise line.error(f"there is no column {column + 1} with a time")
        _add(stamps, line, fields[column])
    return stamps.trace(stream)


def time_column(fields: list[str]) -> int | None:
    """By its name in a header, else the first that holds what can only be a point in time."""
    for index, field in enumerate(fields):
        if field.lower() in _NAMES or is_epoch(field):
            return index
    return None


def _column(line: Line, fields: list[str], name: str) -> int:
    if not name:
        return time_column(fields) or 0
    if name not in fields:
        raise line.error(f"there is no column {shown(name)}")
    return fields.index(name)


def _add(stamps: Stamps, line: Line, text: str) -> None:
    try:
        moment = moment_ns(text)
    except ValueError:
        raise line.error(f"{shown(text)} is not a time") from None
    last = stamps.last_ns
    if last is not None and moment < last:
        raise line.error(f"the time {shown(text)} is before that of the request above it")
    stamps.add(moment, line)
