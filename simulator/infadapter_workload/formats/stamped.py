"""Reader of one time stamp per request: one per line, or a column of a table."""

from dataclasses import replace

from infadapter_workload.formats.clocks import detect_clock
from infadapter_workload.formats.columns import table_of
from infadapter_workload.formats.dates import Clock, Unsure
from infadapter_workload.formats.fields import is_header, split
from infadapter_workload.formats.filters import wanted
from infadapter_workload.formats.layout import Layout, layout_of
from infadapter_workload.formats.stamps import Stamps
from infadapter_workload.formats.stream import Line, Stream, shown
from infadapter_workload.formats.tables import CUT_OFF, moment_of
from infadapter_workload.read_options import ReadOptions
from infadapter_workload.series import Series
from infadapter_workload.trace import TraceError


def read_stamps(stream: Stream, options: ReadOptions, option: str = "") -> Series:
    """
    Read the named column, or the one that is a time. The times must be in order, or in reverse
    order.
    """
    options = replace(options, time=option) if option else options
    table = table_of(stream)
    stamps = _Ordered(options.to_s)
    if table is None:
        clock, named = _list(stream, options, stamps)
    else:
        layout = layout_of(stream, table, options, per_request=True)
        clock, named = _column(stream, layout, options, stamps), bool(table.names)
    stamps.daily = clock.daily
    if not (clock.daily or stamps.is_turned or (named and stamps.count > 2)):
        stamps.check_order()
    return stamps.series(stream, f"a row for each request, its time {clock.said}")


class _Ordered(Stamps):
    """Time stamps, with the error of the first that is before the one above it."""

    def __init__(self, to_s: int | None) -> None:
        super().__init__(to_s)
        self._fallen: TraceError | None = None
        self._rises = 0

    def add_text(self, line: Line, text: str, moment_ns: int) -> None:
        last = self.last_ns
        if last is not None and moment_ns > last:
            self._rises += 1
        elif last is not None and moment_ns < last and self._fallen is None:
            self._fallen = line.error(
                f"the time {shown(text)} is before that of the request above it"
            )
        self.add(moment_ns, line)

    @property
    def is_turned(self) -> bool:
        return not self._rises and self.count > 2

    def check_order(self) -> None:
        if self._fallen:
            raise self._fallen


def _list(stream: Stream, options: ReadOptions, stamps: _Ordered) -> tuple[Clock, bool]:
    head = [line.text.strip('"') for line in stream.head()[:400]]
    name = head.pop(0) if head and is_header(head[:1]) else ""
    if options.time not in (None, "1", name):
        raise Line(stream.path, 1, "").error(f"there is no column {shown(options.time)}")
    try:
        clock = detect_clock(head, name, options)
    except Unsure as unsure:
        raise stream.error(f"is ambiguous: {unsure}") from None
    for index, line in enumerate(stream.lines()):
        if index or not name:
            text = line.text.strip('"')
            _add(stamps, line, text, clock)
        if stamps.enough():
            break
    return clock, bool(name)


def _column(stream: Stream, layout: Layout, options: ReadOptions, stamps: _Ordered) -> Clock:
    table, time = layout.table, layout.time
    if time is None:
        raise stream.error("has no column that is clearly a time: say --trace-columns time=NAME")
    for index, line in enumerate(stream.lines()):
        if index < table.header_lines:
            continue
        fields = split(line.text, table.delimiter)
        if options.only and not wanted(options.only, dict(zip(table.names, fields, strict=False))):
            continue
        if len(fields) <= time:
            if line.cut and stamps.count:
                stamps.notes.append(CUT_OFF)
                break
            raise line.error(f"there is no column {time + 1} with a time")
        text = layout.time_text(fields)
        stamps.add_text(line, text, moment_of(line, text, layout))
        if stamps.enough():
            break
    return layout.clock


def _add(stamps: _Ordered, line: Line, text: str, clock: Clock) -> None:
    try:
        moment = clock.ns(text)
    except ValueError:
        if line.cut and stamps.count > 1:
            stamps.notes.append(CUT_OFF)
            return
        raise line.error(f"{shown(text)} is not a time") from None
    stamps.add_text(line, text, moment)
