"""The meaning of column names: a time, numbers of requests, their rate, or something else."""

import re
from enum import StrEnum
from functools import lru_cache
from itertools import pairwise
from typing import NamedTuple

from infadapter_workload.formats.queries import query_of
from infadapter_workload.formats.vocabulary import (
    COUNTS,
    DURATIONS,
    EACH_WORDS,
    LOADS,
    ONE,
    OTHERS,
    PARTS_OF_TIME,
    PER,
    PER_WORDS,
    PERIODS,
    RATES,
    SECONDS,
    THINGS,
    THOUSANDS,
    TIME_UNITS,
    TIMES,
    TOTALS,
)


class Kind(StrEnum):
    RATE = "rate"
    COUNT = "count"
    TOTAL = "total"  # a count, or a counter that only grows
    COUNTER = "counter"  # named like a Prometheus counter, but possibly its rate
    LOAD = "load"  # a load, as counts or as rates
    OTHER = "other"  # certainly not a load
    UNKNOWN = "unknown"


LOAD_KINDS = (Kind.RATE, Kind.COUNT, Kind.TOTAL, Kind.COUNTER, Kind.LOAD)
COUNT_KINDS = (Kind.COUNT, Kind.TOTAL, Kind.COUNTER)
GROWING = (Kind.TOTAL, Kind.COUNTER)


_TIMES = r"([1-9]\d{0,4})?"
_NUMBER_OF = {"count", "counts", "cnt", "number", "num"}
_AFTER_ONE = COUNTS | LOADS | TOTALS | {*RATES, *TIME_UNITS, *PER_WORDS}
_AFTER_ONE |= {*EACH_WORDS, "arrival", "volume"}


class ValueMeaning(NamedTuple):
    kind: Kind
    per_s: float = 1  # unit of a rate: 60 if per minute, 0.001 if in thousands per second


@lru_cache(maxsize=1024)
def meaning_of_name(name: str) -> ValueMeaning:
    """Return the kind of numbers that a column of this name holds."""
    query = query_of(name)
    words = words_of(query.name)
    rate, known = _rate(query.name, words), set(words)
    if query.of_a_part or known & THOUSANDS or _per_something(words):
        return ValueMeaning(Kind.UNKNOWN)
    if known & (OTHERS if rate is None and not _of_a_length(words) else OTHERS - SECONDS):
        return ValueMeaning(Kind.OTHER)
    if any(one in THINGS and other in _NUMBER_OF for one, other in pairwise(words)):
        return ValueMeaning(Kind.OTHER)
    if query.increase_s and known & COUNTS:
        return ValueMeaning(Kind.RATE, query.increase_s)
    if _is_part_of_another(words):
        return ValueMeaning(Kind.UNKNOWN)
    if rate is not None:
        return ValueMeaning(Kind.RATE, rate)
    return ValueMeaning(_without_rate(query.name, words))


def is_time(name: str) -> bool:
    """Whether a column of this name holds times; names of durations do not count."""
    words = set(words_of(name))
    return bool(words & TIMES) and not words & (DURATIONS | COUNTS | {"per"})


def is_part_of_time(name: str) -> bool:
    return name.strip().lower() in PARTS_OF_TIME


def time_unit(name: str) -> str | None:
    """Return the unit in a name such as `_ms`, `(us)` or `minute`, or None."""
    words = words_of(name)
    return TIME_UNITS.get(words[-1]) if words else None


def words_of(name: str) -> list[str]:
    """
    Return the words of a name in lower case, the same for RequestsPerSec and requests_per_sec.
    """
    apart = re.sub(r"(?<=[a-z0-9])(?=[A-Z])", " ", name)
    return [word for word in re.split(r"[\W_]+", apart.lower()) if word]


def _without_rate(name: str, words: list[str]) -> Kind:
    known = set(words)
    if re.search(r"[a-z]_total$", name):
        return Kind.COUNTER
    if known & TOTALS and (known & COUNTS or len(known) == 1):
        return Kind.TOTAL
    if known & COUNTS:
        return Kind.LOAD if _of_a_length(words) else Kind.COUNT
    return Kind.LOAD if known & LOADS else Kind.UNKNOWN


def _rate(name: str, words: list[str]) -> float | None:
    """Return the period of a rate in seconds, or None if the name is not that of a rate."""
    if thousands := [word for word in words if re.fullmatch(r"k(?:reqs?|[rqto]p[sm])", word)]:
        ones = _rate(re.sub(r"(?i)k(?=req|[rqto]p)", "", name), [word[1:] for word in thousands])
        return None if ones is None else ones / 1000
    for word in words:
        if word in RATES:
            return RATES[word]
    text = " ".join(words)
    for period, seconds in PERIODS:
        found = re.search(rf"\b{PER}{_TIMES} ?{period}\b", text) or re.search(
            rf"/ ?{_TIMES} ?{period}\b", name.lower()
        )
        if found:
            return seconds * int(found[1] or 1)
    counted = set(words) & (COUNTS - {"count", "number", "num"})
    return 1 if "rate" in words and counted else None


def _per_something(words: list[str]) -> bool:
    """Whether the name is per something other than a time, as in requests per second and pod."""
    after = [later for earlier, later in pairwise(words) if earlier in PER_WORDS]
    return any(not (word in TIME_UNITS or word[0].isdigit() or _is_period(word)) for word in after)


def _is_period(word: str) -> bool:
    return any(re.fullmatch(period, word) for period, _ in PERIODS)


def _of_a_length(words: list[str]) -> bool:
    """
    Whether the name contains a duration, as in requests_5m and req_s. It is ambiguous: a count
    within that time, or a rate per that time.
    """
    return any(
        earlier in (*COUNTS, "last", "past")
        and (_is_period(later) or re.fullmatch(r"\d+(?:s|m|min|h|d)", later))
        for earlier, later in pairwise(words)
    )


def _is_part_of_another(words: list[str]) -> bool:
    """Whether `request` qualifies the name of something else, such as a request's payload."""
    return any(
        earlier in ONE and not (later in _AFTER_ONE or later[0].isdigit() or _is_period(later))
        for earlier, later in pairwise(words)
    )
