"""Parsers of dates as people and spreadsheets write them: 2016010123, 1.3.2024 10:00, 10:00."""

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial

import numpy as np
import numpy.typing as npt

from infadapter_workload.formats.moments import SECOND_NS, iso_s
from infadapter_workload.formats.written_dates import CLOCK, are_written, hour_of, written_ns
from infadapter_workload.read_options import DATES, ReadOptions

_CALENDAR = re.compile(r"((?:19|20)\d\d)(0[1-9]|1[0-2])([0-3]\d)(?:([01]\d|2[0-3])(\d\d(\d\d)?)?)?")
_WRITTEN = re.compile(rf"(\d{{1,2}})([-./])(\d{{1,2}})\2(\d{{4}}|\d\d)(?:{CLOCK})?")
_DAY_NS, _HOUR_NS = 86_400 * SECOND_NS, 3600 * SECOND_NS
_TIME_OF_DAY = re.compile(r"(\d{1,2}):(\d\d)(?::(\d\d)(?:[.,](\d{1,9}))?)?")


class Unsure(ValueError):
    """
    The format of times is ambiguous. The message gives the possible readings and the option to set.
    """


@dataclass(frozen=True, slots=True)
class Clock:
    """Parser of one time format. `ns` raises ValueError for text in another format."""

    ns: Callable[[str], int]
    absolute: bool  # points in time, not seconds from some start
    said: str
    daily: bool = False  # times of day, which start again at midnight


def calendar(texts: Sequence[str]) -> Clock | None:
    """
    Return the parser of dates written as one number, or None. 2016010123 is an hour and 20160101 a
    day: as seconds since 1970, the former would lie after 2030.
    """
    if not texts or not all(_is_calendar(text) for text in texts):
        return None
    return Clock(_calendar_ns, True, "dates written as one number")


def _is_calendar(text: str) -> bool:
    try:
        return _calendar_ns(text) > 0
    except ValueError:
        return False


def _calendar_ns(text: str) -> int:
    match = _CALENDAR.fullmatch(text)
    if not match:
        raise ValueError(f"{text} is no date")
    year, month, day, hour, rest, _ = match.groups(default="")
    minute, second = (rest or "00")[:2], (rest or "0000")[2:] or "00"
    return iso_s(f"{year}-{month}-{day}T{hour or '00'}:{minute}:{second}", None) * SECOND_NS


def dated(texts: Sequence[str], options: ReadOptions) -> Clock | None:
    """
    Return the parser of dates such as 3/4/2024, or None. The order of day and month is certain if
    one of them is above 12, or if the separator is a dot. Raises Unsure if it is not.
    """
    found = [match for match in map(_WRITTEN.fullmatch, texts) if match]
    if not found:
        return None
    if options.unit in DATES:
        day_first = options.unit == DATES[0]
    elif (
        len(found[0][4]) == 2
        and found[0][2] != "."
        and all(int(match[1]) == int(found[0][1]) > 12 for match in found)
    ):
        raise Unsure(
            f"{found[0][0]} may begin with a day or a year: say --trace-unit d/m/y, or write the "
            "year with four digits"
        )
    elif found[0][2] == "." or any(int(match[1]) > 12 for match in found):
        day_first = True
    elif any(int(match[3]) > 12 for match in found):
        day_first = False
    else:
        raise Unsure(
            f"{found[0][0]} may begin with a day or a month: say --trace-unit d/m/y or m/d/y"
        )
    return Clock(partial(_dated_ns, day_first=day_first), True, DATES[0 if day_first else 1])


def _dated_ns(text: str, day_first: bool) -> int:
    match = _WRITTEN.fullmatch(text)
    if not match:
        raise ValueError(f"{text} is no date")
    one, _, two, year, hour, minute, second, fraction, half = match.groups()
    day, month = (one, two) if day_first else (two, one)
    clock = f"{hour_of(hour, half):0>2}:{minute or '00'}:{second or '00'}"
    written = f"{year if len(year) == 4 else '20' + year}-{month:0>2}-{day:0>2}T{clock}"
    return iso_s(written, None) * SECOND_NS + int((fraction or "").ljust(9, "0"))


def spelled(texts: Sequence[str]) -> Clock | None:
    """Return the parser of dates such as Mar 1, 2024, 10:00 AM, 1 Mar 2024 or 2024/3/1, or None."""
    return Clock(written_ns, True, "dates with times") if are_written(texts) else None


def time_of_day(texts: Sequence[str]) -> Clock | None:
    if not texts or not all(map(_TIME_OF_DAY.fullmatch, texts)):
        return None
    return Clock(_time_of_day_ns, False, "times of a day", daily=True)


def over_midnight(moments_ns: npt.NDArray[np.int64]) -> npt.NDArray[np.int64]:
    """
    Convert times of day to increasing times. A decrease of more than half a day is midnight; an
    increase of nearly a whole day is a late line, or the newest rows come first.
    """
    steps = np.diff(moments_ns, prepend=moments_ns[:1])
    begun, back = steps < -_DAY_NS // 2, steps > _DAY_NS - _HOUR_NS
    return moments_ns + np.cumsum(begun.astype(np.int64) - back) * _DAY_NS


def _time_of_day_ns(text: str) -> int:
    match = _TIME_OF_DAY.fullmatch(text)
    if not match:
        raise ValueError(f"{text} is no time of a day")
    hour, minute, second, fraction = match.groups(default="")
    whole_s = int(hour) * 3600 + int(minute) * 60 + int(second or 0)
    return whole_s * SECOND_NS + int(fraction.ljust(9, "0"))
