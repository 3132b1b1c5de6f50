"""Which columns of a table hold its load, and what kind of numbers they are."""

import re
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from itertools import pairwise

from infadapter_workload.asked import Asked
from infadapter_workload.formats.columns import Table, column_named
from infadapter_workload.formats.dates import Clock
from infadapter_workload.formats.moments import SECOND_NS
from infadapter_workload.formats.names import COUNT_KINDS, LOAD_KINDS, Kind, Said, of_values
from infadapter_workload.formats.rhythm import in_steps, moment_or_none
from infadapter_workload.formats.stream import Stream, shown
from infadapter_workload.formats.values import has_decimal_comma, is_numeric, unit_said

_LEVEL = re.compile(r"\b(TRACE|DEBUG|INFO|NOTICE|WARN|WARNING|ERROR|CRITICAL|FATAL)\b")
_LEVELS = {"trace", "debug", "info", "notice", "warn", "warning", "error", "critical", "fatal"}


@dataclass(frozen=True, slots=True)
class Choice:
    columns: tuple[int, ...] = ()  # none: a row is a request
    said: Said = Said(Kind.COUNT)  # noqa: RUF009
    notes: tuple[str, ...] = ()


def chosen(
    stream: Stream,
    table: Table,
    taken: Collection[int],
    times: Sequence[str],
    clock: Clock,
    asked: Asked,
    per_request: bool | None,
) -> Choice:
    """Raises TraceError where it is not sure."""
    if per_request:
        return Choice()
    if asked.value is not None:
        return _asked(stream, table, taken, asked)
    numeric = [each for each in range(table.width) if each not in taken and _numeric(table, each)]
    sure = per_request is not None or _counted(table, numeric)
    if not sure:
        _refuse_messages(stream, table)
    if not sure and not in_steps(times, clock):
        if clock.absolute:
            _refuse_uneven(stream, table, times, clock, numeric)
            return Choice()
        raise stream.error(
            "has columns that are in none of the known forms, and times from some start: say "
            "--trace-format timestamps if a row is a request, or --trace-columns value=NAME"
        )
    return _by_names(stream, table, taken, numeric)


def _by_names(
    stream: Stream, table: Table, taken: Collection[int], numeric: Sequence[int]
) -> Choice:
    if not table.names:
        return _without_names(stream, table, numeric)
    said = {each: _unit_or(table, (each,), of_values(table.name(each))) for each in numeric}
    for kinds in ((Kind.RATE,), COUNT_KINDS, (Kind.LOAD,)):
        found = [each for each in numeric if said[each].kind in kinds]
        if len(found) == 1:
            return _one(table, found[0], said[found[0]], [*said])
        if found:
            raise _several(stream, table, found)
    if table.width == 2 and not numeric:
        return _only_other(stream, table, taken)
    unknown = [each for each in numeric if said[each].kind is Kind.UNKNOWN and table.name(each)]
    if not unknown and table.width == 2 and numeric and not table.name(numeric[0]):
        return Choice((numeric[0],), Said(Kind.LOAD))
    if unknown:
        raise _several(stream, table, unknown)
    held = ", ".join(shown(table.name(each)) for each in range(table.width) if each not in taken)
    raise stream.error(
        f"holds {held or 'nothing'} beside the time, by its name no number of requests, in none "
        "of the known forms: say --trace-format timestamps if a row is a request, or "
        "--trace-columns value=NAME"
    )


def _without_names(stream: Stream, table: Table, numeric: Sequence[int]) -> Choice:
    if len(numeric) == 1 and table.width <= 3:
        return _one(table, numeric[0], Said(Kind.LOAD), numeric)
    if table.width == 2:
        return Choice((1,), Said(Kind.LOAD))  # reading it says what is wrong with its numbers
    raise stream.error(
        f"has {table.width} columns without names, in none of the known forms: say --trace-columns "
        "time=NUMBER,value=NUMBER, or --trace-format timestamps if a row is a request"
    )


def _only_other(stream: Stream, table: Table, taken: Collection[int]) -> Choice:
    """Its name says what it is, or reading it what is wrong with its numbers."""
    column = next(each for each in range(2) if each not in taken)
    said = of_values(table.name(column))
    if said.kind in LOAD_KINDS or not table.rows:
        return Choice((column,), said)
    raise _several(stream, table, [column])


def _one(table: Table, column: int, said: Said, numeric: Sequence[int]) -> Choice:
    others = [table.name(each) for each in numeric if each != column and table.name(each)]
    notes = (f"not read: {', '.join(others)}",) if others else ()
    return Choice((column,), _unit_or(table, (column,), said), notes)


def _several(stream: Stream, table: Table, found: Sequence[int]) -> Exception:
    names = [table.name(each) for each in found]
    if len(found) == 1:
        return stream.error(
            f"has a column {shown(names[0])}, which may be load or something else: say "
            f"--trace-columns value={names[0]} if it is"
        )
    listed = ", ".join(shown(name) for name in names[:6])
    return stream.error(
        f"has several columns that may be load, {listed}: say --trace-columns value={names[0]}, "
        f"or value={'+'.join(names[:2])} for their sum, or value=* for that of all"
    )


def _asked(stream: Stream, table: Table, taken: Collection[int], asked: Asked) -> Choice:
    assert asked.value is not None
    if asked.value == "*":
        columns = [
            each for each in range(table.width) if each not in taken and _numeric(table, each)
        ]
    elif asked.value in table.names:
        columns = [table.names.index(asked.value)]
    else:
        columns = [
            column_named(stream, table.names, table.width, name.strip())
            for name in asked.value.split("+")
        ]
    said = {of_values(table.name(each)) for each in columns}
    found = said.pop() if len(said) == 1 else Said(Kind.LOAD)
    found = found if found.kind in LOAD_KINDS else Said(Kind.LOAD)
    names = " + ".join(table.name(each) or str(each + 1) for each in columns)
    notes = (f"the sum of {names}",) if len(columns) > 1 else ()
    return Choice(tuple(columns), _unit_or(table, columns, found), notes)


def _unit_or(table: Table, columns: Sequence[int], said: Said) -> Said:
    if said.kind is Kind.OTHER:
        return said
    texts = table.column(columns[0])
    comma = table.delimiter != "," and has_decimal_comma(texts)
    found = next((unit for text in texts if (unit := unit_said(text, comma))), None)
    return found if found and found.kind is not Kind.OTHER else said


def _numeric(table: Table, index: int) -> bool:
    texts = table.column(index)
    return sum(map(is_numeric, texts)) >= 0.8 * len(texts) and any(texts)


def _counted(table: Table, numeric: Sequence[int]) -> bool:
    """Whether a name says that a row holds numbers of requests."""
    kinds = {of_values(table.name(each)).kind for each in numeric}
    return bool(kinds & {Kind.RATE, *COUNT_KINDS}) or (table.width == 2 and Kind.LOAD in kinds)


def _refuse_messages(stream: Stream, table: Table) -> None:
    for row in table.rows[:20]:
        level = next((field for field in row if field.strip("[]").lower() in _LEVELS), None)
        found = None if table.names else _LEVEL.search(" ".join(row))
        if level := level or (found and found[1]):
            raise stream.error(
                f"holds messages of a server, such as at level {shown(level)}, not requests: say "
                "--trace-format timestamps if each is one"
            )


def _refuse_uneven(
    stream: Stream, table: Table, times: Sequence[str], clock: Clock, numeric: Sequence[int]
) -> None:
    """Whole seconds, none of them twice, beside numbers that may be load: rows of some monitor."""
    named = [each for each in numeric if of_values(table.name(each)).kind in LOAD_KINDS]
    if named:  # with more than one row for a time, such as of several metrics
        raise _several(stream, table, named)
    moments = [moment for time in times if (moment := moment_or_none(time, clock)) is not None]
    steps = [later - earlier for earlier, later in pairwise(sorted(moments))]
    if len(steps) < 3 or not all(step > 0 and step % SECOND_NS == 0 for step in steps):
        return
    load = (*LOAD_KINDS, Kind.UNKNOWN)
    found = [
        each for each in numeric if table.name(each) and of_values(table.name(each)).kind in load
    ]
    if found:
        raise _several(stream, table, found)
