"""
What is given back of the surge when it has been held for long enough, and more is yet to start.

Room for that is there once all is within the budget; nothing else brings it, since nothing may
start beyond it any more, and what serves is all asked for. So what costs the least capacity goes,
or shrinks, and the rest starts beside what stays.
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
    """Nothing planned starts: what was begun is finished first, but for what fails or waits."""
    starts = any(
        not (one.goes or one.actual.ready or one.actual.trouble)
        and one.actual.unschedulable_since_s is None
        for one in context.pods
    )
    return not (starts or missing(observed).keys() - observed.refusals.keys() or observed.rolling)


def repaid(context: DrainContext, observed: Observed) -> Releases:
    """
    What brings all that stays within the budget, at the planned sizes where these are larger, for
    the least capacity; first what the last weights leave out, so that the choice lasts.
    """
    asked = [
        largest(_soon(one), one.desired.resources if one.desired else {}) for one in context.pods
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
        size = _least_that_does(context, one, over)
        found[one.actual.name] = size
        over = _less(over, one, size)
    return found


def _over(context: DrainContext, amounts: Sequence[Resources]) -> dict[str, int]:
    total: Mapping[str, int] = plus({}, context.service.budget, -1)
    for each in amounts:
        total = plus(total, each)
    return {name: more for name, more in total.items() if more > 0}


def _less(over: Resources, one: PodState, size: Allocation | None) -> dict[str, int]:
    freed = plus(_soon(one), size.resources if size else {}, -1)
    left = plus(over, freed, -1)
    return {name: more for name, more in left.items() if more > 0 and name in over}


def _least_that_does(context: DrainContext, one: PodState, over: Resources) -> Allocation | None:
    """The size that keeps most of it, of those that are enough; what is planned of it if none."""
    able = ways(context.service, one, partial=True)
    enough = [(rps, size) for size, rps in able if not _less(over, one, size)]
    return max(enough, key=lambda way: way[0])[1] if enough else one.desired


def _rps_per_unit(context: DrainContext, one: PodState, over: Resources) -> tuple[float, str]:
    freed = plus(_soon(one), one.desired.resources if one.desired else {}, -1)
    useful = sum(freed.get(name, 0) for name in over)
    lost_rps = context.counted_rps(one) - (one.desired_rps if one.actual.ready else 0.0)
    return (lost_rps / useful if useful > 0 else float("inf")), one.actual.name


def _soon(one: PodState) -> Resources:
    """What it will hold when it has the size that was asked for."""
    return one.actual.wanted.resources
