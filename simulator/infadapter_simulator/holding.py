"""What a simulated run held: the changes of single pods, added up."""

from collections.abc import Sequence

from infadapter_simulator.world.pods import Held
from infadapter_workload import holding as workload
from infadapter_workload.holding import Holding, Level


def holding(held: Sequence[Held], budget_millicores: int, begin_s: float, end_s: float) -> Holding:
    """Return the summary; `held` is sorted by time."""
    return workload.holding(_levels(held), budget_millicores, begin_s, end_s)


def _levels(held: Sequence[Held]) -> list[Level]:
    """Return what all pods hold after each change."""
    found = []
    last: dict[int, Held] = {}
    millicores, cost = 0, 0.0
    for change in held:
        before = last.get(change.slot)
        millicores += change.millicores - (before.millicores if before else 0)
        cost += change.price - (before.price if before else 0.0)
        last[change.slot] = change
        found.append(Level(at_s=change.at_s, millicores=millicores, cost=cost))
    return found
