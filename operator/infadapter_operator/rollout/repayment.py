"""
Return surge that has been held for too long while more planned pods have yet to start.

Those pods get room once everything is within the budget. Nothing else brings it: no start may begin
beyond the budget any more, and the demand needs all serving pods. So the capacity that costs least
is released, and the remaining pods start beside what stays.
"""

from collections.abc import Mapping, Sequence

from infadapter_operator.domain.observed import Observed
from infadapter_operator.planning.capacity import largest, plus
from infadapter_operator.rollout.free import missing
from infadapter_operator.rollout.match import PodState
from infadapter_operator.rollout.release import (
    DrainContext,
    Releases,
    is_needed_unknown,
    releasable,
    ways,
)
from infadapter_operator.rollout.traffic import last_sent
from infadapter_solver.problem import Allocation, Resources


def is_due(context: DrainContext, observed: Observed) -> bool:
    """
    Whether no planned pod is starting. Starts that have begun are finished first, unless the pod
    fails or is unschedulable.
    """
    starts = any(
        not (one.is_surplus or one.actual.ready or one.actual.trouble)
        and one.actual.unschedulable_since_s is None
        for one in context.pods
    )
    return not (starts or missing(observed).keys() - observed.refusals.keys() or observed.rolling)


def repaid(context: DrainContext, observed: Observed) -> Releases:
    """
    Return the releases that bring all remaining pods within the budget at the least loss of
    capacity.

    Pods that are to grow count with their planned size. Pods that the last weights leave out come
    first, so that the next cycle makes the same choice.
    """
    asked = [
        largest(_requested(one), one.desired.resources if one.desired else {})
        for one in context.pods
    ]
    over = _over(context, asked)
    able = [
        one for one in releasable(context) if not is_needed_unknown(context, one, context.ready_rps)
    ]
    sent = last_sent(observed)
    able.sort(key=lambda p: (sent.get(p.actual.name, 0) > 0, *_rps_per_unit(context, p, over)))
    found: dict[str, Allocation | None] = {}
    for one in able:
        if not over:
            break
        size = _largest_sufficient(context, one, over)
        found[one.actual.name] = size
        over = _less(over, one, size)
    return found


def _over(context: DrainContext, amounts: Sequence[Resources]) -> dict[str, int]:
    total: Mapping[str, int] = plus({}, context.service.budget, -1)
    for each in amounts:
        total = plus(total, each)
    return {name: more for name, more in total.items() if more > 0}


def _less(over: Resources, one: PodState, size: Allocation | None) -> dict[str, int]:
    freed = plus(_requested(one), size.resources if size else {}, -1)
    left = plus(over, freed, -1)
    return {name: more for name, more in left.items() if more > 0 and name in over}


def _largest_sufficient(context: DrainContext, one: PodState, over: Resources) -> Allocation | None:
    """Return the size of most capacity that frees enough, or the planned size if none does."""
    able = ways(context.service, one, partial=True)
    enough = [(rps, size) for size, rps in able if not _less(over, one, size)]
    return max(enough, key=lambda way: way[0])[1] if enough else one.desired


def _rps_per_unit(context: DrainContext, one: PodState, over: Resources) -> tuple[float, str]:
    freed = plus(_requested(one), one.desired.resources if one.desired else {}, -1)
    useful = sum(freed.get(name, 0) for name in over)
    lost_rps = context.counted_rps(one) - (one.desired_rps if one.actual.ready else 0.0)
    return (lost_rps / useful if useful > 0 else float("inf")), one.actual.name


def _requested(one: PodState) -> Resources:
    """The resources that the pod holds once its requested size is in force."""
    return one.actual.wanted.resources
