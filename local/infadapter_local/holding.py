"""How much CPU pods held over a run, and how much of that was beyond the budget. Pure."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Held:
    """CPU that pods held from `at_s` on, in millicores by variant, until the next of these."""

    at_s: float
    millicores: Mapping[str, int]


@dataclass(frozen=True, slots=True, kw_only=True)
class Holding:
    """Of a stretch of time."""

    core_seconds: float
    peak_cores: float
    core_seconds_over_budget: float
    longest_over_budget_s: float  # the longest unbroken time with more than the budget held


def holding(held: Sequence[Held], budget_millicores: int, begin_s: float, end_s: float) -> Holding:
    """What is held changes only where `held` says so, which is sorted by time."""
    total = over = longest_s = unbroken_s = 0.0
    peak = 0
    for lasted_s, millicores in _levels(held, begin_s, end_s):
        beyond = max(0, millicores - budget_millicores)
        total += millicores * lasted_s
        over += beyond * lasted_s
        peak = max(peak, millicores)
        unbroken_s = unbroken_s + lasted_s if beyond else 0.0
        longest_s = max(longest_s, unbroken_s)
    return Holding(
        core_seconds=total / 1000,
        peak_cores=peak / 1000,
        core_seconds_over_budget=over / 1000,
        longest_over_budget_s=longest_s,
    )


def _levels(held: Sequence[Held], begin_s: float, end_s: float) -> Iterator[tuple[float, int]]:
    """For how long how many millicores were held; none of these times is empty."""
    ends = [later.at_s for later in held[1:]] + [end_s] * min(1, len(held))
    for now, until_s in zip(held, ends, strict=True):
        lasted_s = min(until_s, end_s) - max(now.at_s, begin_s)
        if lasted_s > 0:
            yield lasted_s, sum(now.millicores.values())
