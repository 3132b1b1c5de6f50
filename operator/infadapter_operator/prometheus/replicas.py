"""
What several replicas of Prometheus answer in turn, as if one did: pure.

Behind one address each question may meet another of them. One that has just begun, or come back,
knows nothing of the time before, and of the time since only what it has found yet; another may
reach but a part of what there is. So an answer is judged beside those before it: what it lacks is
kept, and what it says after a silence that the others did not have waits until it has found all.
"""

import math
from collections.abc import Iterable
from typing import Protocol, TypeVar

from infadapter_operator.domain.load import Sample

LEAST_COMPARED_S = 20
"""Of less in common, less load may be chance."""

LEAST_IN_COMMON = 0.8
"""Of what was known of the same moments: replicas that count all differ by less."""


class Timed(Protocol):
    @property
    def at_s(self) -> float: ...


TimedT = TypeVar("TimedT", bound=Timed)


def beside(
    known: Iterable[TimedT], answer: Iterable[TimedT], *, gap_s: float, settle_s: float
) -> tuple[TimedT, ...]:
    """
    Both in order of time. An answer counts, but not for `settle_s` after it was silent for longer
    than `gap_s` where something is known.
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
    """Whether it tells of clearly less load at the moments at which it was known before."""
    before = {sample.at_s: sample.rps for sample in known}
    both = [
        (sample.at_s, sample.rps, before[sample.at_s]) for sample in answer if sample.at_s in before
    ]
    if not both or both[-1][0] - both[0][0] < LEAST_COMPARED_S:
        return False
    return sum(now for _, now, _ in both) < LEAST_IN_COMMON * sum(then for _, _, then in both)
