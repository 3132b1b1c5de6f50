"""Reader of tables: a time and numbers of requests in each row, evenly spaced."""

import math

from infadapter_workload.formats.columns import table_of
from infadapter_workload.formats.fields import requests, split
from infadapter_workload.formats.filters import wanted
from infadapter_workload.formats.grid import LONGEST_STEP_S
from infadapter_workload.formats.layout import Layout, layout_of
from infadapter_workload.formats.moments import SECOND_NS
from infadapter_workload.formats.steps import Rows, to_series
from infadapter_workload.formats.stream import Line, Stream, shown
from infadapter_workload.formats.values import ABSENT
from infadapter_workload.read_options import ReadOptions
from infadapter_workload.series import Series
from infadapter_workload.trace import TraceError

CUT_OFF = "left out the last line, which is cut off"


def read_table(stream: Stream, options: ReadOptions, option: str = "") -> Series:
    """
    Read the load from each row's time to the next. Longer steps than a second are spread evenly,
    and then do not count as counted.
    """
    table = table_of(stream)
    if table is None or not table.rows:
        raise stream.error("holds no numbers in rows with a time")
    layout = layout_of(stream, table, options, per_request=False)
    rows = Rows(notes=[*layout.choice.notes])
    for index, line in enumerate(stream.lines()):
        if index >= table.header_lines:
            try:
                _add(rows, line, layout, options)
            except TraceError:
                if not (line.cut and rows.numbers):
                    raise
                rows.notes.append(CUT_OFF)
        if rows.enough(options.to_s):
            break
    name = " + ".join(table.name(column) for column in layout.choice.columns[:3])
    return to_series(stream, rows, layout.choice.said, layout.clock, options, name)


def _add(rows: Rows, line: Line, layout: Layout, options: ReadOptions) -> None:
    table = layout.table
    fields = split(line.text, table.delimiter)
    if len(fields) != table.width:
        raise line.error(_columns(table.width, len(fields)))
    if options.only and not wanted(options.only, dict(zip(table.names, fields, strict=False))):
        return
    if layout.time is None:
        moment = len(rows.numbers) * (options.every_s or 1) * SECOND_NS
    else:
        moment = moment_of(line, layout.time_text(fields), layout)
    rows.add(line, moment, _number(line, fields, layout))


def moment_of(line: Line, text: str, layout: Layout) -> int:
    try:
        return layout.clock.ns(text)
    except ValueError:
        raise line.error(f"{shown(text)} is not a time") from None


def _number(line: Line, fields: list[str], layout: Layout) -> float:
    """Return the sum of the columns, NaN if all of them are empty."""
    total, known = 0.0, False
    for column in layout.choice.columns:
        if fields[column].lower() not in ABSENT:
            total += requests(line, fields[column], LONGEST_STEP_S, layout.decimal_comma)
            known = True
    return total if known else math.nan


def _columns(width: int, found: int) -> str:
    if width == 2:
        return f"there must be two columns, a time and a number, not {found}"
    return f"there must be {width} columns, not {found}"
