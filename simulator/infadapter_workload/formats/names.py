"""What the name of a column says: a time, numbers of requests, their rate, or something else."""

import re
from enum import StrEnum
from functools import lru_cache
from typing import NamedTuple

from infadapter_workload.formats.vocabulary import (
    COUNTS,
    DURATIONS,
    LOADS,
    OTHERS,
    PARTS_OF_TIME,
    PERIODS,
    RATES,
    SECONDS,
    THOUSANDS,
    TIME_UNITS,
    TIMES,
    TOTALS,
)


class Kind(StrEnum):
    RATE = "rate"
    COUNT = "count"
    TOTAL = "total"  # a count, or a counter that only grows
    COUNTER = "counter"  # named as those of Prometheus, but perhaps the rate of one
    LOAD = "load"  # but whether counts or rates it does not say
    OTHER = "other"  # surely no load
    UNKNOWN = "unknown"


LOAD_KINDS = (Kind.RATE, Kind.COUNT, Kind.TOTAL, Kind.COUNTER, Kind.LOAD)
COUNT_KINDS = (Kind.COUNT, Kind.TOTAL, Kind.COUNTER)
GROWING = (Kind.TOTAL, Kind.COUNTER)


class Said(NamedTuple):
    kind: Kind
    per_s: float = 1  # of a rate: 60 per minute, 0.001 in thousands per second


@lru_cache(maxsize=1024)
def of_values(name: str) -> Said:
    """Of a column that holds numbers."""
    words = words_of(name)
    rate, known = _rate(name, words), set(words)
    if known & THOUSANDS or _per_something(words):
        return Said(Kind.UNKNOWN)
    if known & (OTHERS if rate is None else OTHERS - SECONDS):
        return Said(Kind.OTHER)
    if rate is not None:
        return Said(Kind.RATE, rate)
    return Said(_without_rate(name, known))


def is_time(name: str) -> bool:
    """The name of a column of times; a duration's is none."""
    words = set(words_of(name))
    return bool(words & TIMES) and not words & (DURATIONS | COUNTS | {"per"})


def is_part_of_time(name: str) -> bool:
    return name.strip().lower() in PARTS_OF_TIME


def time_unit(name: str) -> str | None:
    """As `_ms`, `(us)` or `minute` says it; None where the name has no unit."""
    words = words_of(name)
    return TIME_UNITS.get(words[-1]) if words else None


def words_of(name: str) -> list[str]:
    """Lower case; of RequestsPerSec and requests_per_sec the same."""
    apart = re.sub(r"(?<=[a-z0-9])(?=[A-Z])", " ", name)
    return [word for word in re.split(r"[^0-9a-zA-Zäöüßµμ]+", apart.lower()) if word]


def _without_rate(name: str, known: set[str]) -> Kind:
    if re.search(r"[a-z]_total$", name):
        return Kind.COUNTER
    if known & TOTALS and (known & COUNTS or len(known) == 1):
        return Kind.TOTAL
    if known & COUNTS:
        return Kind.COUNT
    return Kind.LOAD if known & LOADS else Kind.UNKNOWN


def _rate(name: str, words: list[str]) -> float | None:
    """Per how many seconds."""
    if thousands := [word for word in words if re.fullmatch(r"k(?:reqs?|[rqto]p[sm])", word)]:
        ones = _rate(re.sub(r"(?i)k(?=req|[rqto]p)", "", name), [word[1:] for word in thousands])
        return None if ones is None else ones / 1000
    for word in words:
        if word in RATES:
            return RATES[word]
    text = " ".join(words)
    for period, seconds in PERIODS:
        if re.search(rf"\bper ?{period}\b", text) or re.search(rf"/ ?{period}\b", name.lower()):
            return seconds
    counted = set(words) & (COUNTS - {"count", "number", "num"})
    return 1 if "rate" in words and counted else None


def _per_something(words: list[str]) -> bool:
    """As requests per second and pod are."""
    after = [words[index + 1] for index, word in enumerate(words[:-1]) if word == "per"]
    return any(word not in TIME_UNITS for word in after)
