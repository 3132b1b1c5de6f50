"""
For how long surge is held at once: a loan has an end.

What is started beyond the budget is to be Ready, and what it replaces gone, within the longest
start and MOST_BESIDE_START_S. Starts that follow one another in the surge would hold it for as long
as they go on; so what has not begun in the first moments waits until all is within the budget.
"""

from collections.abc import Iterable, Sequence

from infadapter_operator.delays import START_S
from infadapter_operator.domain.observed import Observed, Pod, SurgeLoan
from infadapter_operator.domain.service import Service
from infadapter_operator.rollout.free import over_budget

MOST_BESIDE_START_S = 3.0
"""How long more than the budget is held at most, beside the longest start."""

SETTLE_S = 1.5
"""From the last pod Ready to the last one gone: weights, what confirms them, a drain."""


def is_over(service: Service, pods: Iterable[Pod]) -> bool:
    """What waits for a node, or was lost with one, is not held."""
    there = (p for p in pods if not (p.is_lost or p.unschedulable_since_s is not None))
    return bool(over_budget(service, there))


def loan_of(
    service: Service, pods: Sequence[Pod], before: SurgeLoan | None, now_s: float
) -> SurgeLoan | None:
    """
    Returned once a look has seen all within the budget, and ended with the one after that. Where a
    loan's time is over and what is beyond the budget only leaves, the next one begins: nothing can
    be given back for it, and what is to start would wait for as long as a pod takes to go.
    """
    if not is_over(service, pods):
        return None if before is None or before.is_returned else before.returned
    if before is None or before.since_s > now_s:
        return SurgeLoan(now_s)
    is_due = now_s - before.since_s > _longest_s(service)
    stays = (pod for pod in pods if not pod.leaving)
    return before.held if is_over(service, stays) or not is_due else SurgeLoan(now_s)


def _longest_s(service: Service) -> float:
    """For how long more than the budget is held at most."""
    return START_S + service.slowest_load_s + MOST_BESIDE_START_S


def is_closed(observed: Observed, now_s: float) -> bool:
    """Whether surge has been held for too long for one more start to end in time."""
    loan = observed.surge_loan
    return loan is not None and now_s - loan.since_s > MOST_BESIDE_START_S - SETTLE_S


def is_about_to_open(service: Service, observed: Observed, now_s: float) -> bool:
    """All that was lent is back, and the next look ends the loan."""
    return is_closed(observed, now_s) and not is_over(service, observed.pods)
