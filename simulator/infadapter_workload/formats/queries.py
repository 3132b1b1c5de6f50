"""
Parse PromQL queries and names of recording rules that serve as column names, as in Grafana's series
without a legend.
"""

import re
from typing import NamedTuple

from infadapter_workload.formats.vocabulary import LENGTHS

_MATCHERS = re.compile(r"\{[^}]*\}")
_GROUPING = re.compile(r"\b(?:by|without)\s*\([^)]*\)", re.IGNORECASE)
_LEVEL = re.compile(r"^\w+:(?=\w+:)")
_ERRORS = re.compile(r"""["'.][45](?:\d\d|xx|\.\.)|\b[45]xx\b""")
_TWO_SAMPLES = re.compile(r"\bidelta\s*\(")
_WINDOW = r"((?:\d{1,6}[smhdwy])+)"
_INCREASE = re.compile(
    rf"\b(?:increase|delta|count_over_time)\s*\(.*\[\s*{_WINDOW}\s*[\]:]|:increase{_WINDOW}$"
)
_RATE = re.compile(r"\birate\b|(?<=:)i?rate(?:\d+[smhd])?$")
_OVER_TIME = re.compile(r"_over_time(?=\s*\()")


class Query(NamedTuple):
    name: str  # without labels and grouping, which do not affect the meaning of its numbers
    increase_s: int | None = None  # window of an increase(), independent of the step
    of_a_part: bool = (
        False  # only answers with some status, or only the increase between two samples
    )


def query_of(name: str) -> Query:
    """
    Return the name that remains once functions, labels and windows are removed, with what they say.
    """
    found = _INCREASE.search(name)
    length_s = _length_s(found[1] or found[2]) if found else None
    bare = _GROUPING.sub(" ", _MATCHERS.sub(" ", name))
    bare = _OVER_TIME.sub("", _RATE.sub("rate", _LEVEL.sub("", bare.strip())))
    is_part = bool(_ERRORS.search(name) or _TWO_SAMPLES.search(name))
    return Query(bare.strip(), length_s, is_part)


def _length_s(text: str) -> int:
    """Parse a duration such as 5m or 1h30m into seconds."""
    return sum(int(number) * LENGTHS[unit] for number, unit in re.findall(r"(\d+)(\w)", text))
