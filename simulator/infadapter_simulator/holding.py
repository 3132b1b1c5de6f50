"""How much CPU pods held over a run, and how much of that was beyond the budget."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from infadapter_simulator.world.pods import Held


@dataclass(frozen=True, slots=True, kw_only=True)
class Holding:
    """Of a stretch of time; a pod holds the larger of what was asked for and what is in force."""

    core_seconds: float
    peak_cores: float
    core_seconds_over_budget: float
    seconds_over_budget: float
    longest_over_budget_s: float  # the longest unbroken time with more than the budget held


def holding(held: Sequence[Held], budget_millicores: int, begin_s: float, end_s: float) -> Holding:
    """Exact: what is held changes only where `held` says so, which is sorted by time."""
    total = over = over_s = longest_s = unbroken_s = 0.0
    peak = 0
    for at_s, until_s, millicores in _levels(held, begin_s, end_s):
        total += millicores * (until_s - at_s)
        over += max(0, millicores - budget_millicores) * (until_s - at_s)
        peak = max(peak, millicores)
        is_over = millicores > budget_millicores
        over_s += (until_s - at_s) * is_over
        unbroken_s = (unbroken_s + until_s - at_s) * is_over
        longest_s = max(longest_s, unbroken_s)
    return Holding(
        core_seconds=total / 1000,
        peak_cores=peak / 1000,
        core_seconds_over_budget=over / 1000,
        seconds_over_budget=over_s,
        longest_over_budget_s=longest_s,
    )


def _levels(
    held: Sequence[Held], begin_s: float, end_s: float
) -> Iterator[tuple[float, float, int]]:
    """From when until when how many millicores were held; none of them is empty."""
    by_slot: dict[int, int] = {}
    since_s, level = begin_s, 0
    for change in held:
        at_s = min(max(change.at_s, begin_s), end_s)
        if at_s > since_s:
            yield since_s, at_s, level
            since_s = at_s
        level += change.millicores - by_slot.get(change.slot, 0)
        by_slot[change.slot] = change.millicores
    if end_s > since_s:
        yield since_s, end_s, level
