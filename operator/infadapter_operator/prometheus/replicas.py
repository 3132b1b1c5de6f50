"""
Merge the answers of several Prometheus replicas behind one address. Pure.

Each query may reach another replica. One that has just started, or returned, lacks the time before,
and since then has only what it has discovered; another may reach only part of the targets. So an
answer is compared with earlier ones: what it lacks is kept, and what it reports after a silence
that others did not have is not trusted until it has discovered everything.
"""

import math
from collections.abc import Iterable
from typing import Protocol, TypeVar

from infadapter_operator.domain.load import Sample

LEAST_COMPARED_S = 20
"""Seconds in common below which a lower load may be chance."""

LEAST_IN_COMMON = 0.8
"""
Share of the load known before below which an answer is partial; complete replicas differ by less.
"""


class Timed(Protocol):
    @property
    def at_s(self) -> float: ...


TimedT = TypeVar("TimedT", bound=Timed)


def beside(
    known: Iterable[TimedT], answer: Iterable[TimedT], *, gap_s: float, settle_s: float
) -> tuple[TimedT, ...]:
    """
    Return the merged samples; both inputs are in order of time.

    The answer takes precedence, except for `settle_s` after it was silent for longer than `gap_s`
    where something was known.
    """
    before, told = {one.at_s: one for one in known}, {one.at_s: one for one in answer}
    found, silent_since_s, trusted_from_s = [], math.inf, -math.inf
    for at_s in sorted(before.keys() | told.keys()):
        if at_s not in told:
            silent_since_s = min(silent_since_s, at_s)
        elif at_s - silent_since_s > gap_s:
            trusted_from_s = at_s + settle_s
        if at_s in told:
            silent_since_s = math.inf
        first, second = (told, before) if at_s >= trusted_from_s else (before, {})
        if one := first.get(at_s) or second.get(at_s):
            found.append(one)
    return tuple(found)


def is_a_part(known: Iterable[Sample], answer: Iterable[Sample]) -> bool:
    """Whether the answer reports clearly less load than was known for the same moments."""
    before = {sample.at_s: sample.rps for sample in known}
    both = [
        (sample.at_s, sample.rps, before[sample.at_s]) for sample in answer if sample.at_s in before
    ]
    if not both or both[-1][0] - both[0][0] < LEAST_COMPARED_S:
        return False
    return sum(now for _, now, _ in both) < LEAST_IN_COMMON * sum(then for _, _, then in both)
