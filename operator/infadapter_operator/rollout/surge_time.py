"""
Limit how long surge may be held without a break.

Pods that start beyond the budget shall be Ready, and the pods they replace gone, within the longest
start and MOST_BESIDE_START_S. A sequence of starts in the surge would hold it for as long as it
lasts. So starts that have not begun in the first moments wait until everything is within the
budget.
"""

from collections.abc import Iterable, Sequence

from infadapter_operator.delays import START_S
from infadapter_operator.domain.observed import Observed, Pod, SurgeLoan
from infadapter_operator.domain.service import Service
from infadapter_operator.rollout.free import over_budget

MOST_BESIDE_START_S = 3.0
"""Seconds, besides the longest start, for which more than the budget may be held."""

SETTLE_S = 1.5
"""
Seconds from the last pod Ready to the last old pod gone: new weights, their confirmation, a drain.
"""


def is_over(service: Service, pods: Iterable[Pod]) -> bool:
    """
    Whether the pods hold more than the budget. Unschedulable pods and pods of a lost node hold
    nothing.
    """
    there = (p for p in pods if not (p.is_lost or p.unschedulable_since_s is not None))
    return bool(over_budget(service, there))


def loan_of(
    service: Service, pods: Sequence[Pod], before: SurgeLoan | None, now_s: float
) -> SurgeLoan | None:
    """
    Return the surge loan after this cycle, or None while everything is within the budget.

    A loan counts as returned once a cycle has seen everything within the budget, and ends with the
    cycle after that. If its time is over and only terminating pods are beyond the budget, a new
    loan begins: nothing can be released for it, and starts would have to wait for as long as those
    pods take to end.
    """
    if not is_over(service, pods):
        return None if before is None or before.is_returned else before.returned
    if before is None or before.since_s > now_s:
        return SurgeLoan(now_s)
    is_due = now_s - before.since_s > _longest_s(service)
    stays = (pod for pod in pods if not pod.leaving)
    return before.held if is_over(service, stays) or not is_due else SurgeLoan(now_s)


def _longest_s(service: Service) -> float:
    """Return the longest time for which more than the budget may be held, s."""
    return START_S + service.slowest_load_s + MOST_BESIDE_START_S


def is_closed(observed: Observed, now_s: float) -> bool:
    """Whether surge has been held for so long that another start could not end in time."""
    loan = observed.surge_loan
    return loan is not None and now_s - loan.since_s > MOST_BESIDE_START_S - SETTLE_S


def is_about_to_open(service: Service, observed: Observed, now_s: float) -> bool:
    """Whether everything lent is returned, so that the next cycle ends the loan."""
    return is_closed(observed, now_s) and not is_over(service, observed.pods)
