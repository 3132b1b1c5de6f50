"""Points in time as they are written, in whole nanoseconds, which hold what a float would lose."""

import re
from datetime import UTC, datetime, timedelta, timezone
from decimal import Decimal, InvalidOperation
from functools import lru_cache

SECOND_NS = 1_000_000_000
EPOCH_S = 1e8
"""
A number above it counts from 1970 (this is March 1973), one below from some start.

No trace has as many requests per second. From 1e11 on they are milliseconds, from 1e14 on
microseconds, from 1e17 on nanoseconds.
"""

_LIMIT_NS = 2**62
_DIGITS = 20  # before the point: beyond any time, and within what decimals can compute with
_UNITS = ((1e17, 1), (1e14, 10**3), (1e11, 10**6))  # from, nanoseconds
_ISO = re.compile(
    r"(\d{4}-\d\d-\d\d)[T ](\d\d:\d\d:\d\d)(?:[.,](\d{1,9}))?(?: ?(Z|UTC|[+-]\d\d:?\d\d))?"
)
_LOGGED = re.compile(r"(\d\d)/([A-Z][a-z]{2})/(\d{4}):(\d\d):(\d\d):(\d\d) ([+-]\d{4})")
_MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")


def moment_ns(text: str) -> int:
    """
    A number, or ISO 8601 to the nanosecond, in UTC unless it names its offset.

    Raises ValueError for anything else.
    """
    match = _ISO.fullmatch(text)
    if not match:
        return _number_ns(text)
    day, time, fraction, zone = match.groups()
    return _iso_s(f"{day}T{time}", zone) * SECOND_NS + int((fraction or "").ljust(9, "0"))


def seconds_ns(text: str) -> int:
    """A number of seconds. Raises ValueError for anything else, or for some 150 years."""
    number = _decimal(text)
    if not abs(number) < _LIMIT_NS // SECOND_NS:
        raise ValueError(f"{text} s is too far away")
    return int(number * SECOND_NS)


@lru_cache(maxsize=1024)
def logged_ns(text: str) -> int:
    """As web servers write it: 10/Oct/2000:13:55:36 -0700. Raises ValueError."""
    match = _LOGGED.fullmatch(text)
    if not match:
        raise ValueError(f"{text} is no time of an access log")
    day, month, year, hour, minute, second, zone = match.groups()
    number = f"{_MONTHS.index(month) + 1:02}"
    return _iso_s(f"{year}-{number}-{day}T{hour}:{minute}:{second}", zone) * SECOND_NS


def is_epoch(text: str) -> bool:
    """Whether this can only be a point in time: ISO 8601, or a number that counts from 1970."""
    try:
        return moment_ns(text) > EPOCH_S * SECOND_NS
    except ValueError:
        return False


@lru_cache(maxsize=1024)
def _iso_s(text: str, zone: str | None) -> int:
    return _since_1970_s(datetime.fromisoformat(text).replace(tzinfo=_zone(zone)))


def _since_1970_s(moment: datetime) -> int:
    seconds = int(moment.timestamp())
    if not abs(seconds) < _LIMIT_NS // SECOND_NS:
        raise ValueError(f"{moment} is too far away")
    return seconds


def _zone(text: str | None) -> timezone:
    if text in (None, "Z", "UTC"):
        return UTC
    assert text
    digits = text[1:].replace(":", "")
    offset = timedelta(hours=int(digits[:2]), minutes=int(digits[2:]))
    return timezone(-offset if text[0] == "-" else offset)


def _number_ns(text: str) -> int:
    number = _decimal(text)
    unit_ns = next((unit for least, unit in _UNITS if number >= least), SECOND_NS)
    if not abs(number) < _LIMIT_NS // unit_ns:
        raise ValueError(f"{text} is too far away")
    return int(number * unit_ns)


def _decimal(text: str) -> Decimal:
    try:
        number = Decimal(text)
    except InvalidOperation:
        raise ValueError(f"{text} is not a number") from None
    if not number.is_finite() or number.adjusted() > _DIGITS:
        raise ValueError(f"{text} is not finite, or no time")
    return number
