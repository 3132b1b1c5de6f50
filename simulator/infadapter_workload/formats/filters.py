"""
Filters on requests or rows, by which probes, errors or other services are left out of the load.
"""

import re
from collections.abc import Mapping, Sequence
from fnmatch import translate
from functools import lru_cache
from typing import NamedTuple

from infadapter_workload.trace import TraceError

_CONDITION = re.compile(r"([^=!]+?)(!?=)(.*)")


class Condition(NamedTuple):
    """
    A field that matches, or does not match, a pattern with shell wildcards; 2xx matches 200 to 299.
    """

    name: str
    pattern: str
    negated: bool

    def holds(self, fields: Mapping[str, str]) -> bool:
        found = fields.get(self.name, "")
        return (_matcher(self.pattern).fullmatch(found) is not None) != self.negated


def conditions_of(text: str | None) -> tuple[Condition, ...]:
    """Parse conditions such as `path=/v2/*,status!=5xx`. Raises TraceError."""
    return tuple(_condition(part) for part in text.split(",")) if text else ()


def wanted(conditions: Sequence[Condition], fields: Mapping[str, str]) -> bool:
    return all(condition.holds(fields) for condition in conditions)


def _condition(text: str) -> Condition:
    match = _CONDITION.fullmatch(text.strip())
    if not match:
        raise TraceError(f"--trace-only must be such as path=/v2/*,status!=404, not {text!r}.")
    return Condition(match[1].strip(), match[3].strip(), match[2] == "!=")


@lru_cache(maxsize=64)
def _matcher(pattern: str) -> re.Pattern[str]:
    digits = re.fullmatch(r"([1-5])xx", pattern)
    return re.compile(rf"{digits[1]}\d\d" if digits else translate(pattern))
