"""Choose the columns of a table that hold its load, and what kind of numbers they are."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass

from infadapter_workload.formats.columns import Table, column_named
from infadapter_workload.formats.dates import Clock
from infadapter_workload.formats.doubts import refuse_messages, refuse_uneven, several
from infadapter_workload.formats.names import (
    COUNT_KINDS,
    LOAD_KINDS,
    Kind,
    ValueMeaning,
    meaning_of_name,
)
from infadapter_workload.formats.rhythm import in_steps
from infadapter_workload.formats.stream import Stream, shown
from infadapter_workload.formats.values import has_decimal_comma, is_numeric, unit_said
from infadapter_workload.read_options import ReadOptions


@dataclass(frozen=True, slots=True)
class Choice:
    columns: tuple[int, ...] = ()  # empty: each row is a request
    said: ValueMeaning = ValueMeaning(Kind.COUNT)  # noqa: RUF009
    notes: tuple[str, ...] = ()


def choose_columns(
    stream: Stream,
    table: Table,
    taken: Collection[int],
    times: Sequence[str],
    clock: Clock,
    options: ReadOptions,
    per_request: bool | None,
) -> Choice:
    """
    Return the columns with the load, by option or by their names. Raises TraceError if the choice
    is ambiguous.
    """
    if per_request:
        return Choice()
    if options.value is not None:
        return _as_given(stream, table, taken, options)
    numeric = [each for each in range(table.width) if each not in taken and _numeric(table, each)]
    sure = per_request is not None or _counted(table, numeric)
    if not sure:
        refuse_messages(stream, table)
    if not sure and not in_steps(times, clock):
        if clock.absolute:
            refuse_uneven(stream, table, times, clock, numeric)
            return Choice()
        raise stream.error(
            "has columns in no known format, and times that count from some start: say "
            "--trace-format timestamps if a row is a request, or --trace-columns value=NAME"
        )
    return _by_names(stream, table, taken, numeric)


def _by_names(
    stream: Stream, table: Table, taken: Collection[int], numeric: Sequence[int]
) -> Choice:
    if not table.names:
        return _without_names(stream, table, numeric)
    said = {each: _unit_or(table, (each,), meaning_of_name(table.name(each))) for each in numeric}
    for kinds in ((Kind.RATE,), COUNT_KINDS, (Kind.LOAD,)):
        found = [each for each in numeric if said[each].kind in kinds]
        if len(found) == 1:
            return _one(table, found[0], said[found[0]], [*said])
        if found:
            raise several(stream, table, found)
    if table.width == 2 and not numeric:
        return _only_other(stream, table, taken)
    unknown = [each for each in numeric if said[each].kind is Kind.UNKNOWN and table.name(each)]
    if not unknown and table.width == 2 and numeric and not table.name(numeric[0]):
        return Choice((numeric[0],), ValueMeaning(Kind.LOAD))
    if unknown:
        raise several(stream, table, unknown)
    held = ", ".join(shown(table.name(each)) for each in range(table.width) if each not in taken)
    raise stream.error(
        f"has {held or 'no column'} beside the time, whose name does not mean a number of "
        "requests: say --trace-format timestamps if each row is a request, or name the column with "
        "--trace-columns value=NAME"
    )


def _without_names(stream: Stream, table: Table, numeric: Sequence[int]) -> Choice:
    if len(numeric) == 1 and table.width <= 3:
        return _one(table, numeric[0], ValueMeaning(Kind.LOAD), numeric)
    if table.width == 2:
        return Choice(
            (1,), ValueMeaning(Kind.LOAD)
        )  # the reader reports what is wrong with its numbers
    raise stream.error(
        f"has {table.width} columns without names, in no known format: say --trace-columns "
        "time=NUMBER,value=NUMBER, or --trace-format timestamps if a row is a request"
    )


def _only_other(stream: Stream, table: Table, taken: Collection[int]) -> Choice:
    """
    Choose the only column beside the time. Its name, or the parser's error, says whether it is
    load.
    """
    column = next(each for each in range(2) if each not in taken)
    said = meaning_of_name(table.name(column))
    if said.kind in LOAD_KINDS or not table.rows:
        return Choice((column,), said)
    raise several(stream, table, [column])


def _one(table: Table, column: int, said: ValueMeaning, numeric: Sequence[int]) -> Choice:
    others = [table.name(each) for each in numeric if each != column and table.name(each)]
    notes = (f"not read: {', '.join(others)}",) if others else ()
    return Choice((column,), _unit_or(table, (column,), said), notes)


def _as_given(stream: Stream, table: Table, taken: Collection[int], options: ReadOptions) -> Choice:
    assert options.value is not None
    if options.value == "*":
        columns = [
            each for each in range(table.width) if each not in taken and _numeric(table, each)
        ]
    elif options.value in table.names:
        columns = [column_named(stream, table.names, table.width, options.value)]
    else:
        columns = [
            column_named(stream, table.names, table.width, name.strip())
            for name in options.value.split("+")
        ]
    said = {meaning_of_name(table.name(each)) for each in columns}
    found = said.pop() if len(said) == 1 else ValueMeaning(Kind.LOAD)
    found = found if found.kind in LOAD_KINDS else ValueMeaning(Kind.LOAD)
    names = " + ".join(table.name(each) or str(each + 1) for each in columns)
    notes = (f"the sum of {names}",) if len(columns) > 1 else ()
    return Choice(tuple(columns), _unit_or(table, columns, found), notes)


def _unit_or(table: Table, columns: Sequence[int], said: ValueMeaning) -> ValueMeaning:
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
    """Whether a column's name says that each row holds a number of requests."""
    kinds = {meaning_of_name(table.name(each)).kind for each in numeric}
    return bool(kinds & {Kind.RATE, *COUNT_KINDS}) or (table.width == 2 and Kind.LOAD in kinds)
