"""Split lines into fields, and parse numbers with validation."""

import csv
import math
from collections.abc import Sequence

from infadapter_workload.formats.moments import is_epoch
from infadapter_workload.formats.stream import Line, shown
from infadapter_workload.formats.values import number_of
from infadapter_workload.formats.vocabulary import TIMES
from infadapter_workload.trace import MAX_RPS

BLANKS = " "
"""The delimiter that stands for any number of blanks."""

_DELIMITERS = (",", ";", "\t", "|")


def split(text: str, delimiter: str) -> list[str]:
    if delimiter == BLANKS:
        return [field.strip('"') for field in text.split()]
    if '"' in text:
        try:
            fields = next(csv.reader([text], delimiter=delimiter, skipinitialspace=True), [])
        except csv.Error:
            fields = text.split(delimiter)
        return [field.strip().strip('"') for field in fields]
    return [field.strip() for field in text.split(delimiter)]


def delimiter_of(lines: Sequence[str]) -> str | None:
    """
    Return the delimiter that splits all lines into the same number of fields, else the first that
    splits the first line, or None.
    """
    if not lines:
        return None
    cutting = [each for each in _DELIMITERS if len(split(lines[0], each)) > 1]
    even = [each for each in cutting if len({len(split(line, each)) for line in lines}) == 1]
    if even:
        return max(even, key=lambda each: (each != ",", len(split(lines[0], each))))
    if cutting:
        return cutting[0]
    return BLANKS if _in_blanks(lines) else None


def is_number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True


def is_header(fields: list[str]) -> bool:
    """
    Whether all fields are names. A damaged number in the first line must not make it a header.
    """
    named = [field for field in fields if field]
    if named and named[0].lower() in TIMES:
        return True  # whatever the other names are, such as 200, 404 and 5xx/s
    if not named or any(is_number(field) for field in named):
        return False
    return all(_is_name(field, len(named) > 2) for field in named) and _is_name(named[0], False)


def _is_name(field: str, among_many: bool) -> bool:
    """
    Whether a field is a column name; in a header with several columns, 2xx and 99% are names too.
    """
    if is_epoch(field):
        return False
    if among_many and (field[-1:].isalpha() or field.endswith("%")):
        return True
    return field.lstrip("%_([<{$# ")[:1].isalpha()


def requests(line: Line, text: str, seconds: float = 1.0, decimal_comma: bool = False) -> float:
    """Parse a number of requests in this many seconds. Raises TraceError."""
    try:
        number = number_of(text, decimal_comma).number
    except ValueError:
        raise line.error(f"{shown(text)} is not a number of requests") from None
    if math.isnan(number) or not 0 <= number <= MAX_RPS * seconds:
        limit = f"{MAX_RPS * seconds:,.0f}"
        raise line.error(f"a number of requests must be from 0 to {limit}, not {shown(text)}")
    return number


def _in_blanks(lines: Sequence[str]) -> bool:
    widths = {len(line.split()) for line in lines}
    return len(lines) > 1 and len(widths) == 1 and widths.pop() > 1 and not is_epoch(lines[-1])
