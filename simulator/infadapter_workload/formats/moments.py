"""Parse points in time into whole nanoseconds; a float would lose digits."""

import re
from datetime import UTC, datetime, timedelta, timezone
from decimal import Decimal, InvalidOperation
from functools import lru_cache

SECOND_NS = 1_000_000_000
EPOCH_S = 1e8
"""
Numbers above this one count from 1970 (it is March 1973), those below count from some start.

No trace has as many requests per second. From 1e11 on they are milliseconds, from 1e14 on
microseconds, from 1e17 on nanoseconds.
"""

SURE_S = (7.5e8, 2.2e9)
"""
October 1993 to 2039, in seconds since 1970. A number outside this range may be a time since 1970,
or count from a start in another unit.
"""

_LIMIT_NS = 2**62
_DIGITS = 20  # digits before the point: more than any time has, and within the precision of Decimal
_UNITS = ((1e17, 1), (1e14, 10**3), (1e11, 10**6))  # lower limit, nanoseconds per unit
_ISO = re.compile(
    r"(\d{4})[-/](\d\d)[-/](\d\d)(?:[T ](\d\d:\d\d)(:\d\d)?(?:[.,](\d{1,9}))?)?"
    r"(?: ?(Z|UTC|GMT|[+-]\d\d(?::?\d\d)?))?"
)
_LOGGED = re.compile(
    r"(\d\d)/([A-Z][a-z]{2})/(\d{4})[: ](\d\d):(\d\d):(\d\d)(?:\.(\d{1,9}))?(?: ([+-]\d{4}))?"
)
MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")


def moment_ns(text: str, unit_ns: int | None = None) -> int:
    """
    Parse a number, or ISO 8601 to the nanosecond, in UTC unless it has an offset.

    Raises ValueError for anything else.
    """
    match = _ISO.fullmatch(text)
    if not match:
        return _number_ns(text, unit_ns)
    year, month, day, time, seconds, fraction, zone = match.groups()
    moment = f"{year}-{month}-{day}T{time or '00:00'}{seconds or ':00'}"
    return iso_s(moment, zone) * SECOND_NS + int((fraction or "").ljust(9, "0"))


def seconds_ns(text: str) -> int:
    """
    Parse a number of seconds. Raises ValueError for anything else, or for more than some 150 years.
    """
    return _number_ns(text, SECOND_NS)


@lru_cache(maxsize=1024)
def logged_ns(text: str) -> int:
    """Parse the time format of web servers, 10/Oct/2000:13:55:36 -0700. Raises ValueError."""
    match = _LOGGED.fullmatch(text)
    if not match:
        raise ValueError(f"{text} is no time of an access log")
    day, month, year, hour, minute, second, fraction, zone = match.groups()
    number = f"{MONTHS.index(month) + 1:02}"
    whole_s = iso_s(f"{year}-{number}-{day}T{hour}:{minute}:{second}", zone)
    return whole_s * SECOND_NS + int((fraction or "").ljust(9, "0"))


def is_epoch(text: str) -> bool:
    """Whether the text can only be a point in time: ISO 8601, or a number that counts from 1970."""
    try:
        return moment_ns(text) > EPOCH_S * SECOND_NS
    except ValueError:
        return False


def number(text: str) -> Decimal:
    """Parse a finite number that can be a time. Raises ValueError."""
    try:
        found = Decimal(text)
    except InvalidOperation:
        raise ValueError(f"{text} is not a number") from None
    if not found.is_finite() or found.adjusted() > _DIGITS:
        raise ValueError(f"{text} is not finite, or no time")
    return found


def epoch_unit_ns(value: Decimal) -> int:
    """
    Return the unit of a number that counts from 1970, by its size; a second for smaller numbers.
    """
    return next((unit for least, unit in _UNITS if value >= least), SECOND_NS)


@lru_cache(maxsize=1024)
def iso_s(text: str, zone: str | None) -> int:
    """Parse ISO 8601 without a fraction, into seconds since 1970. Raises ValueError."""
    return _since_1970_s(datetime.fromisoformat(text).replace(tzinfo=_zone(zone)))


def _since_1970_s(moment: datetime) -> int:
    seconds = int(moment.timestamp())
    if not abs(seconds) < _LIMIT_NS // SECOND_NS:
        raise ValueError(f"{moment} is too far away")
    return seconds


def _zone(text: str | None) -> timezone:
    if text in (None, "Z", "UTC", "GMT"):
        return UTC
    assert text
    digits = text[1:].replace(":", "").ljust(4, "0")
    offset = timedelta(hours=int(digits[:2]), minutes=int(digits[2:]))
    return timezone(-offset if text[0] == "-" else offset)


def _number_ns(text: str, unit_ns: int | None) -> int:
    value = number(text)
    unit = unit_ns or epoch_unit_ns(value)
    if not abs(value) < _LIMIT_NS // unit:
        raise ValueError(f"{text} is too far away")
    return int(value * unit)
