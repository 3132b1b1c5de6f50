"""How much pods held during a run, and how much of it was beyond the CPU budget."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Level:
    """What all pods together hold from `at_s` until the next level."""

    at_s: float
    millicores: int
    cost: float  # of all resources at the service's prices, devices included


@dataclass(frozen=True, slots=True, kw_only=True)
class Holding:
    """Summary over a period. A pod holds the larger of its requested size and the size in force."""

    core_seconds: float
    cost_seconds: float
    peak_cores: float
    core_seconds_over_budget: float
    seconds_over_budget: float
    longest_over_budget_s: float  # the longest unbroken time above the budget


def holding(
    levels: Sequence[Level], budget_millicores: int, begin_s: float, end_s: float
) -> Holding:
    """Return the exact summary; `levels` is sorted by time and contains every change."""
    total = cost = over = over_s = longest_s = unbroken_s = 0.0
    peak = 0
    for lasted_s, level in _lasting(levels, begin_s, end_s):
        beyond = max(0, level.millicores - budget_millicores)
        total += level.millicores * lasted_s
        cost += level.cost * lasted_s
        over += beyond * lasted_s
        peak = max(peak, level.millicores)
        over_s += lasted_s if beyond else 0.0
        unbroken_s = unbroken_s + lasted_s if beyond else 0.0
        longest_s = max(longest_s, unbroken_s)
    return Holding(
        core_seconds=total / 1000,
        cost_seconds=cost,
        peak_cores=peak / 1000,
        core_seconds_over_budget=over / 1000,
        seconds_over_budget=over_s,
        longest_over_budget_s=longest_s,
    )


def _lasting(
    levels: Sequence[Level], begin_s: float, end_s: float
) -> Iterator[tuple[float, Level]]:
    """Yield how long each level was held; levels of no duration are skipped."""
    ends = [later.at_s for later in levels[1:]] + [end_s] * min(1, len(levels))
    for level, until_s in zip(levels, ends, strict=True):
        lasted_s = min(until_s, end_s) - max(level.at_s, begin_s)
        if lasted_s > 0:
            yield lasted_s, level
