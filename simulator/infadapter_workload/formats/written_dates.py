"""
Parse dates with the month's name or with the year first, as monitors and mail programs write them.
"""

import re
from collections.abc import Sequence

from infadapter_workload.formats.moments import MONTHS, SECOND_NS, iso_s

CLOCK = (
    r"(?:,?(?: @| at| klo|T)?\s+|T)(\d{1,2})[:.](\d\d)(?:[:.](\d\d)(?:[.,](\d{1,9}))?)?"
    r"(?:\s?([AaPp])\.?\s?[Mm]\b\.?)?"
)
"""Pattern of a time of day after a date; browsers put a narrow blank before AM."""

_ZONE = r"(?: ?(?:GMT)?(Z|UTC|GMT|[+-]\d\d:?\d\d)(?: \(.*\))?)?"
_WEEKDAY = r"(?:(?:Mon|Tue|Wed|Thu|Fri|Sat|Sun)[a-z]*,? +)?"
_MONTH = r"(?P<month>[A-Z][a-z]{2,8})\.?"
_FORMS = tuple(
    re.compile(rf"{day}(?:{CLOCK})?{_ZONE}")
    for day in (
        rf"{_WEEKDAY}{_MONTH} +(?P<day>\d{{1,2}})(?:st|nd|rd|th)?,? +(?P<year>\d{{4}})",
        rf"{_WEEKDAY}(?P<day>\d{{1,2}})(?P<s>[ /-]){_MONTH}(?P=s)(?P<year>\d{{4}})",
        r"(?P<year>\d{4})(?P<s>[-/.]) ?(?P<month>\d{1,2})(?P=s) ?(?P<day>\d{1,2})\.?",
    )
)
_CTIME = re.compile(
    r"[A-Z][a-z]{2} (?P<month>[A-Z][a-z]{2}) +(?P<day>\d{1,2}) "
    r"(\d\d):(\d\d):(\d\d)(?:\.(\d{1,9}))?(?: (UTC|GMT|[+-]\d{4}))? (?P<year>\d{4})"
)


def are_written(texts: Sequence[str]) -> bool:
    """Whether there are texts and all are such dates."""
    return bool(texts) and all(map(_is_written, texts))


def written_ns(text: str) -> int:
    """Parse such a date. Raises ValueError for other text."""
    if match := _CTIME.fullmatch(text):
        hour, minute, second, fraction, zone = match.group(3, 4, 5, 6, 7)
        return _ns(match, hour, minute, second, fraction, zone)
    match = next((found for form in _FORMS if (found := form.fullmatch(text))), None)
    if not match:
        raise ValueError(f"{text} is no date")
    hour, minute, second, fraction, half, zone = match.groups()[-6:]
    return _ns(match, hour_of(hour, half), minute, second, fraction, zone)


def hour_of(hour: str | None, half: str | None) -> str:
    """
    Return the hour of a 12-hour clock with AM or PM, or of a 24-hour clock. Raises ValueError.
    """
    number = int(hour or 0)
    if not half:
        return str(number)
    if not 1 <= number <= 12:
        raise ValueError(f"{hour} is no hour before or after noon")
    return str(number % 12 + 12 * (half in "Pp"))


def _is_written(text: str) -> bool:
    try:
        return written_ns(text) != 0
    except ValueError:
        return False


def _ns(
    match: "re.Match[str]",
    hour: str | None,
    minute: str | None,
    second: str | None,
    fraction: str | None,
    zone: str | None,
) -> int:
    month = match["month"]
    number = int(month) if month.isdigit() else MONTHS.index(month[:3]) + 1
    date = f"{match['year']}-{number:02}-{int(match['day']):02}"
    clock = f"{int(hour or 0):02}:{minute or '00'}:{second or '00'}"
    return iso_s(f"{date}T{clock}", zone) * SECOND_NS + int((fraction or "").ljust(9, "0"))
