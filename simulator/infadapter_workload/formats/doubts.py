"""
Errors for ambiguous tables: which option resolves the ambiguity, and that a log of messages is no
trace.
"""

import re
from collections.abc import Sequence
from itertools import pairwise

from infadapter_workload.formats.columns import Table
from infadapter_workload.formats.dates import Clock
from infadapter_workload.formats.moments import SECOND_NS
from infadapter_workload.formats.names import LOAD_KINDS, Kind, meaning_of_name
from infadapter_workload.formats.rhythm import moment_or_none
from infadapter_workload.formats.stream import Stream, shown
from infadapter_workload.trace import TraceError

_LEVEL = re.compile(r"\b(TRACE|DEBUG|INFO|NOTICE|WARN|WARNING|ERROR|CRITICAL|FATAL)\b")
_LEVELS = {"trace", "debug", "info", "notice", "warn", "warning", "error", "critical", "fatal"}


def several(stream: Stream, table: Table, found: Sequence[int]) -> TraceError:
    names = [table.name(each) for each in found]
    if len(found) == 1:
        return stream.error(
            f"has a column {shown(names[0])}, which may be load or something else: say "
            f"--trace-columns value={names[0]} if it is"
        )
    if len({*names}) < len(names):
        names = [str(each + 1) for each in found]
    listed = ", ".join(shown(name) for name in names[:6])
    return stream.error(
        f"has several columns that may be load, {listed}: say --trace-columns value={names[0]}, "
        f"or value={'+'.join(names[:2])} for their sum, or value=* for that of all"
    )


def refuse_uneven(
    stream: Stream, table: Table, times: Sequence[str], clock: Clock, numeric: Sequence[int]
) -> None:
    """
    Raise TraceError if the rows look like samples of a monitor: distinct whole seconds beside
    numbers that may be load.
    """
    named = [each for each in numeric if meaning_of_name(table.name(each)).kind in LOAD_KINDS]
    if named:  # several rows with the same time, for example of several metrics
        raise several(stream, table, named)
    moments = [moment for time in times if (moment := moment_or_none(time, clock)) is not None]
    steps = [later - earlier for earlier, later in pairwise(sorted(moments))]
    if len(steps) < 3 or not all(step > 0 and step % SECOND_NS == 0 for step in steps):
        return
    load = (*LOAD_KINDS, Kind.UNKNOWN)
    found = [
        each
        for each in numeric
        if table.name(each) and meaning_of_name(table.name(each)).kind in load
    ]
    if found:
        raise several(stream, table, found)


def refuse_messages(stream: Stream, table: Table) -> None:
    for row in table.rows[:20]:
        level = next((field for field in row if field.strip("[]").lower() in _LEVELS), None)
        found = None if table.names else _LEVEL.search(" ".join(row))
        if level := level or (found and found[1]):
            raise stream.error(
                f"holds messages of a server, such as at level {shown(level)}, not requests: say "
                "--trace-format timestamps if each is one"
            )
