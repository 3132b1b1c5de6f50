"""
The layout of a table: which columns are the time and the load, by option or by unambiguous
detection.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from infadapter_workload.formats.choice import Choice, choose_columns
from infadapter_workload.formats.clocks import detect_clock
from infadapter_workload.formats.columns import Table, column_named, only
from infadapter_workload.formats.dates import Clock, Unsure
from infadapter_workload.formats.fields import BLANKS, is_number
from infadapter_workload.formats.moments import is_epoch
from infadapter_workload.formats.names import (
    LOAD_KINDS,
    is_part_of_time,
    is_time,
    meaning_of_name,
    time_unit,
)
from infadapter_workload.formats.stream import Stream, shown
from infadapter_workload.formats.values import has_decimal_comma
from infadapter_workload.formats.written_dates import are_written
from infadapter_workload.read_options import ReadOptions


@dataclass(frozen=True, slots=True, kw_only=True)
class Layout:
    """How each row is parsed."""

    table: Table
    time: int | None  # None: rows without a time, at the step of --trace-every
    day: int | None  # column of the date, if it is separate from the time
    clock: Clock
    choice: Choice  # the columns with the load; if empty, each row is a request
    decimal_comma: bool

    def time_text(self, fields: Sequence[str]) -> str:
        assert self.time is not None
        text = fields[self.time]
        return text if self.day is None else f"{fields[self.day]} {text}"


def layout_of(
    stream: Stream, table: Table, options: ReadOptions, per_request: bool | None
) -> Layout:
    """
    Return the layout. `per_request` is known if the format was given. Raises TraceError if the
    layout is ambiguous.
    """
    table = only(table, options.only)
    time, day = _time(stream, table, options)
    texts = [text for text in _texts(table, time, day) if text]
    try:
        clock = detect_clock(texts, table.name(time) if time is not None else "", options)
    except Unsure as unsure:
        raise stream.error(f"is ambiguous: {unsure}") from None
    taken = {each for each in (time, day) if each is not None}
    choice = choose_columns(stream, table, taken, texts, clock, options, per_request)
    comma = table.delimiter != "," and has_decimal_comma(
        [text for index in choice.columns for text in table.column(index)]
    )
    return Layout(table=table, time=time, day=day, clock=clock, choice=choice, decimal_comma=comma)


def _time(stream: Stream, table: Table, options: ReadOptions) -> tuple[int | None, int | None]:
    """Return the column of the time and that of its date, if it is separate."""
    if options.time is not None:
        return column_named(stream, table.names, table.width, options.time), None
    named = [index for index in range(table.width) if is_time(table.name(index))]
    time = next((each for each in named if _holds_times(table, each)), None)
    if time is None:
        time = next((each for each in range(table.width) if _holds_points(table, each)), None)
    if time is None and table.width == 2 and (not table.names or _counts_up(table)):
        time = 0
    if time is None and options.every_s is None:
        raise stream.error(
            "has columns in no known format, none of them clearly a time: say "
            "--trace-columns time=NAME, or --trace-every SECONDS for rows without a time; its "
            f"columns are {_shown(table)}"
        )
    parts = [each for each in range(table.width) if is_part_of_time(table.name(each))]
    if time in parts and len(parts) > 1:
        raise stream.error(
            f"has its time in several columns, {', '.join(shown(table.name(p)) for p in parts)}: "
            "write it as one, such as 2024-03-01T10:00"
        )
    return _with_day(table, time)


def _counts_up(table: Table) -> bool:
    """Whether the first column numbers the rows or seconds, whatever its name is."""
    texts = table.column(0)
    return all(map(is_number, texts)) and meaning_of_name(table.name(1)).kind in LOAD_KINDS


def _with_day(table: Table, time: int | None) -> tuple[int | None, int | None]:
    if time is None:
        return None, None
    for day, clock_time in ((time, time + 1), (time - 1, time)):
        if day >= 0 and clock_time < table.width and _is_day_and_time(table, day, clock_time):
            return clock_time, day
    return time, None


def _is_day_and_time(table: Table, day: int, time: int) -> bool:
    days, times = table.column(day)[:5], table.column(time)[:5]
    short = all(len(text) <= 10 and text[:1].isdigit() and not text.isdigit() for text in days)
    return (
        bool(times)
        and short
        and all(text[:1].isdigit() and ":" in text for text in times)
        and all(":" not in text for text in days)
    )


def _texts(table: Table, time: int | None, day: int | None) -> list[str]:
    if time is None:
        return []
    texts = table.column(time)
    if day is None:
        return texts
    return [f"{one} {other}" for one, other in zip(table.column(day), texts, strict=True)]


def _holds_times(table: Table, index: int) -> bool:
    """
    Whether the column's values can be times: columns with such a name may hold durations or words.
    """
    texts = [text for text in table.column(index)[:5] if text]
    return not texts or any(text[:1].isdigit() for text in texts) or are_written(texts)


def _holds_points(table: Table, index: int) -> bool:
    texts = [text for text in table.column(index)[:5] if text]
    if not texts or is_time(table.name(index)) or time_unit(table.name(index)):
        return False
    return all(map(is_epoch, texts))


def _shown(table: Table) -> str:
    if table.names:
        return ", ".join(shown(name) for name in table.names[:8])
    kind = "blanks" if table.delimiter == BLANKS else shown(table.delimiter)
    return f"{table.width}, cut by {kind}, without names"
