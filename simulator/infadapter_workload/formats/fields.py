"""Numbers and columns of a line, doubted."""

from infadapter_workload.formats.stream import Line, shown
from infadapter_workload.trace import MAX_RPS

_DELIMITERS = (",", ";", "\t")


def split(text: str, delimiter: str) -> list[str]:
    return [field.strip().strip('"') for field in text.split(delimiter)]


def delimiter_of(text: str) -> str | None:
    return next((delimiter for delimiter in _DELIMITERS if delimiter in text), None)


def is_number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True


def is_header(fields: list[str]) -> bool:
    """Nothing but names, so that a damaged number in the first line is not taken for one."""
    named = [field for field in fields if field]
    return bool(named) and all(field[0].isalpha() and not is_number(field) for field in named)


def requests(line: Line, text: str, seconds: float = 1.0) -> float:
    """A number of requests in so many seconds. Raises TraceError."""
    try:
        number = float(text)
    except ValueError:
        raise line.error(f"{shown(text)} is not a number of requests") from None
    if not 0 <= number <= MAX_RPS * seconds:
        limit = f"{MAX_RPS * seconds:,.0f}"
        raise line.error(f"a number of requests must be from 0 to {limit}, not {shown(text)}")
    return number
