"""The parsed first rows of a table, and the names of its columns."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

from infadapter_workload.formats.fields import delimiter_of, is_header, split
from infadapter_workload.formats.filters import Condition, wanted
from infadapter_workload.formats.stream import Stream, shown

LOOKED_AT = 400  # rows
_EXCEL = "sep="


@dataclass(frozen=True, slots=True, kw_only=True)
class Table:
    """The first rows of a table, split into fields."""

    delimiter: str
    names: tuple[str, ...]  # empty without a header
    rows: tuple[tuple[str, ...], ...]
    header_lines: int  # non-empty lines above the first row

    @property
    def width(self) -> int:
        return len(self.names) or len(self.rows[0])

    def column(self, index: int) -> list[str]:
        return [row[index] for row in self.rows if index < len(row)]

    def name(self, index: int) -> str:
        return self.names[index] if self.names else ""


def table_of(stream: Stream) -> Table | None:
    """Return the table, or None for input with a single column."""
    lines = [line.text for line in stream.head()[: LOOKED_AT + 2]]
    skipped = 1 if lines and lines[0].lower().startswith(_EXCEL) else 0
    lines = lines[skipped:]
    delimiter = delimiter_of(lines[:20])
    if delimiter is None:
        return None
    rows = [tuple(split(line, delimiter)) for line in lines]
    if is_header(list(rows[0])):
        return Table(
            delimiter=delimiter, names=rows[0], rows=tuple(rows[1:]), header_lines=skipped + 1
        )
    names = _remarked(stream, delimiter, len(rows[0]))
    return Table(delimiter=delimiter, names=names, rows=tuple(rows), header_lines=skipped)


def only(table: Table, conditions: Sequence[Condition]) -> Table:
    """Return the table with only the rows that meet the conditions."""
    if not conditions or not table.names:
        return table
    rows = (
        row for row in table.rows if wanted(conditions, dict(zip(table.names, row, strict=False)))
    )
    return replace(table, rows=tuple(rows) or table.rows)


def column_named(stream: Stream, names: Sequence[str], width: int, name: str) -> int:
    """
    Return the index of a column given by its name, in any case, or its number from 1. Raises
    TraceError.
    """
    if names.count(name) > 1:
        places = " or ".join(str(place) for place, each in enumerate(names, 1) if each == name)
        raise stream.error(f"has several columns {shown(name)}: say their number, {places}")
    if name in names:
        return list(names).index(name)
    lower = [each.lower() for each in names]
    if name.lower() in lower:
        return lower.index(name.lower())
    if name.isdecimal() and 1 <= int(name) <= width:
        return int(name) - 1
    found = (
        f"; there are {', '.join(names[:12])}" if names else f"; there are {width}, without names"
    )
    raise stream.error(
        f"is to be read by its column {shown(name)}: there is no column {shown(name)}{found}"
    )


def _remarked(stream: Stream, delimiter: str, width: int) -> tuple[str, ...]:
    """Return the column names from a comment line above the first row."""
    names: tuple[str, ...] = ()
    for line in stream.head(remarks=True):
        if not line.text.startswith("#"):
            break
        fields = split(line.text.lstrip("# "), delimiter)
        names = tuple(fields) if len(fields) == width and is_header(fields) else ()
    return names
