"""Queries and recording rules as names of columns, as Grafana names series without a legend."""

import re
from typing import NamedTuple

from infadapter_workload.formats.vocabulary import LENGTHS

_MATCHERS = re.compile(r"\{[^}]*\}")
_GROUPING = re.compile(r"\b(?:by|without)\s*\([^)]*\)", re.IGNORECASE)
_LEVEL = re.compile(r"^\w+:(?=\w+:)")
_ERRORS = re.compile(r"""["'.][45](?:\d\d|xx|\.\.)|\b[45]xx\b""")
_WINDOW = r"(\d+)([smhd])"
_INCREASE = re.compile(
    rf"\b(?:increase|delta|idelta|count_over_time)\s*\(.*\[\s*{_WINDOW}|:increase{_WINDOW}$"
)
_RATE = re.compile(r"\birate\b|(?<=:)i?rate(?:\d+[smhd])?$")
_OVER_TIME = re.compile(r"_over_time(?=\s*\()")


class Query(NamedTuple):
    name: str  # without labels and grouping, which say nothing of its numbers
    increase_s: int | None = None  # it is of what came within this long, whatever the step is
    of_errors: bool = False  # of the answers with these statuses alone


def query_of(name: str) -> Query:
    """What is left of a name once it is read as a query."""
    found = _INCREASE.search(name)
    length_s = None
    if found:
        number, unit = [each for each in found.groups() if each]
        length_s = int(number) * LENGTHS[unit]
    bare = _GROUPING.sub(" ", _MATCHERS.sub(" ", name))
    bare = _OVER_TIME.sub("", _RATE.sub("rate", _LEVEL.sub("", bare.strip())))
    return Query(bare.strip(), length_s, _ERRORS.search(name) is not None)
