"""Detect how the times of a column or list are written, from its name and its first values."""

from collections.abc import Sequence
from datetime import UTC, datetime
from functools import partial

from infadapter_workload.formats.dates import Clock, Unsure, calendar, dated, spelled, time_of_day
from infadapter_workload.formats.moments import (
    EPOCH_S,
    SECOND_NS,
    SURE_S,
    epoch_unit_ns,
    is_epoch,
    logged_ns,
    moment_ns,
    number,
)
from infadapter_workload.formats.names import time_unit
from infadapter_workload.read_options import UNITS_NS, ReadOptions

_WORDS = {"s": "seconds", "min": "minutes", "h": "hours", "d": "days"}
_OF_STEPS = {"min": 60, "h": 3600, "d": 86_400}


def detect_clock(texts: Sequence[str], name: str, options: ReadOptions) -> Clock:
    """Return the parser of these times. Raises Unsure if several readings are possible."""
    first = next((text for text in texts if text), "")
    for found in (calendar(texts), dated(texts, options), time_of_day(texts)):
        if found:
            return found
    if first and not is_epoch(first) and (found := spelled(texts)):
        return found
    try:
        value = number(first)
    except ValueError:
        return Clock(_iso_or_logged, True, "dates with times")
    if options.unit_ns:
        return _counting(options.unit_ns, options.unit or "", float(value))
    unit = time_unit(name)
    if unit:
        return _named(texts, unit, float(value))
    return _guessed(first, texts)


def _iso_or_logged(text: str) -> int:
    return logged_ns(text) if "/" in text[:4] else moment_ns(text)


def _counting(unit_ns: int, unit: str, value: float) -> Clock:
    at_s = value * unit_ns / SECOND_NS
    absolute = SURE_S[0] <= at_s <= SURE_S[1]
    since = "1970" if absolute else "a start"
    return Clock(
        partial(moment_ns, unit_ns=unit_ns), absolute, f"{_WORDS.get(unit, unit)} since {since}"
    )


def _named(texts: Sequence[str], unit: str, value: float) -> Clock:
    """
    Choose by the unit in the column's name. A column named minute may count minutes, or give the
    second at which each minute begins.
    """
    if value > EPOCH_S and unit in ("s", *_OF_STEPS):
        return _guessed(texts[0], texts)
    if unit in ("ms", "us", "ns") and SURE_S[0] <= value <= SURE_S[1]:
        return _seconds_after_all(texts, unit)
    if unit in _OF_STEPS and _rises_by(texts, _OF_STEPS[unit]):
        unit = "s"
    return _counting(UNITS_NS[unit], unit, value)


def _seconds_after_all(texts: Sequence[str], unit: str) -> Clock:
    """
    Accept seconds in a column named after a smaller unit, as in nginx's $msec with three decimals.
    """
    if not any(text.rstrip("0").partition(".")[2] for text in texts):
        raise Unsure(
            f"{texts[0]} may be seconds since 1970, or {unit} from some start, as its name says: "
            f"say --trace-unit s or {unit}"
        )
    return _counting(SECOND_NS, "s", float(texts[0]))


def _rises_by(texts: Sequence[str], step: int) -> bool:
    try:
        values = [number(text) for text in texts if text]
    except ValueError:
        return False
    return len(values) > 1 and values[1] - values[0] == step


def _guessed(text: str, texts: Sequence[str]) -> Clock:
    """
    Choose the unit by the size of the number, if only one fits. Otherwise raise Unsure with the
    possible readings.
    """
    value = number(text)
    if value <= EPOCH_S:
        return _counting(SECOND_NS, "s", float(value))
    unit_ns = epoch_unit_ns(value)
    at_s = float(value) * unit_ns / SECOND_NS
    if not SURE_S[0] <= at_s <= SURE_S[1] or (unit_ns == UNITS_NS["ms"] and _are_whole(texts)):
        raise Unsure(
            f"{text} may be a time since 1970 ({_day(at_s)}) or count from some start: say its "
            "unit with --trace-unit ns, us, ms or s"
        )
    unit = next(each for each, ns in UNITS_NS.items() if ns == unit_ns)
    return _counting(unit_ns, unit, float(value))


def _are_whole(texts: Sequence[str]) -> bool:
    """
    Whether all times are whole seconds if read as microseconds, as in Google's cluster traces,
    which count from their start.
    """
    try:
        return len(texts) > 1 and not any(number(text) % 10**6 for text in texts)
    except ValueError:
        return False


def _day(at_s: float) -> str:
    try:
        return datetime.fromtimestamp(at_s, UTC).strftime("%Y-%m-%d")
    except (OverflowError, OSError, ValueError):
        return "no day of this age"
