"""Start the planned pods that do not exist yet, as many as there is room for."""

from collections.abc import Sequence

from infadapter_operator.delays import START_S
from infadapter_operator.domain.observed import STUCK, Observed
from infadapter_operator.domain.steps import ScaleUp
from infadapter_operator.planning.capacity import allocations_of, largest, load_time_s
from infadapter_operator.rollout.free import beyond, rolled_beyond, start_size
from infadapter_operator.rollout.growth import Growing, Terms
from infadapter_operator.rollout.match import PodState
from infadapter_solver.problem import Allocation, PodGroup, Resources


def start(terms: Terms, growing: Growing, group: PodGroup, live: Sequence[PodState]) -> None:
    """
    Add the start of a target's missing pods.

    A target that needs a rolling update gets its pods from that: pods started before would come up
    at the old size.
    """
    there = terms.observed.desired_pods.get(group.target, len(live))
    wanted = group.pods - there
    rolls = any(one.must_be_replaced(terms.now_s) for one in live)
    if wanted <= 0 or rolls or has_only_a_template(terms.observed, group, live):
        return
    first = there == 0 and group.target not in terms.observed.templates
    allocation = _startable(terms, growing, group, first=first)
    starts_with = start_size(terms.observed, group.target, allocation.size)
    size = largest(starts_with or {}, allocation.resources)
    fitting = 0 if terms.over else _startable_pods(terms, growing, group, size, there)
    if fitting:
        growing.room.take(size, fitting)
        growing.steps.append(
            ScaleUp(target=group.target, size=allocation.size, pods=there + fitting)
        )
    if terms.closed:
        growing.waits |= fitting < wanted
        return
    if any(one.actual.unschedulable_since_s is not None for one in live):
        return  # a pod is unschedulable: more room in the budget would not help
    if fitting < wanted:
        _lacks_start(terms, growing, group, size, first=first and not fitting)
    if not fitting and size != allocation.resources:
        growing.outgrown.add(group.target)


def has_only_a_template(observed: Observed, group: PodGroup, live: Sequence[PodState]) -> bool:
    """
    Whether the target has no pod that counts, but a template with more resources than planned.

    Pods of a lost node keep such a template. A pod that starts from it would have to be resized,
    and removed if the resize fails, over and over again.
    """
    template = observed.templates.get(group.target)
    if live or template is None:
        return False
    return any(more > 0 for more in beyond(template.resources, group.allocation.resources).values())


def _startable(terms: Terms, growing: Growing, group: PodGroup, *, first: bool) -> Allocation:
    """
    Return the size at which to start.

    Only the first pod of a target can have a size of its own, and only one pod starts that way. It
    is not used if a pod of the target has a stuck resize, since the new pod would not grow either.
    """
    did_not_grow = any(pod.resize in STUCK for pod in terms.observed.of(group.target))
    smaller = terms.smaller and first and not did_not_grow
    if not smaller or growing.room.times(group.allocation.resources):
        return group.allocation
    sizes = [a for a in _start_sizes(terms, group) if growing.room.times(a.resources)]
    return max(sizes, key=lambda a: a.capacity_rps, default=group.allocation)


def _start_sizes(terms: Terms, group: PodGroup) -> list[Allocation]:
    return [
        a
        for a in allocations_of(terms.service, group.target)
        if a.batch_size == group.allocation.batch_size and a.capacity_rps > 0
    ]


def _startable_pods(
    terms: Terms, growing: Growing, group: PodGroup, size: Resources, there: int
) -> int:
    """
    Return how many pods may start now.

    Pods that start larger than planned shrink afterwards, and the last of them may have no room
    beside the rest of the plan. In that case the existing pods are rolled first, so the room for
    that is kept.
    """
    planned, wanted = group.allocation.resources, group.pods - there
    most = min(wanted, growing.room.times(size))
    last_fits = terms.spare.with_back(planned).times(size)
    if last_fits or not _may_roll(growing, planned, there, 0):
        return most
    return next((n for n in range(most, 0, -1) if _may_roll(growing, planned, there, n)), 0)


def _may_roll(growing: Growing, planned: Resources, there: int, more: int) -> bool:
    """
    Whether a rolling update would have room after `more` pods have started and reached their
    planned size.
    """
    own = [planned] * (there + more)
    left = growing.room.with_back({name: -more * amount for name, amount in planned.items()})
    return left.times(rolled_beyond(own, planned, len(own))) > 0


def _lacks_start(
    terms: Terms, growing: Growing, group: PodGroup, size: Resources, *, first: bool
) -> None:
    sizes = [(size, group.allocation.capacity_rps)]
    if first:
        most = group.allocation.cpu_millicores
        smaller = [a for a in _start_sizes(terms, group) if a.cpu_millicores < most]
        sizes += [(a.resources, a.capacity_rps) for a in smaller]
    wait_s = START_S + load_time_s(terms.service, group.target)
    for amounts, rps in sizes:
        growing.lacks(amounts, gain_rps=rps, wait_s=wait_s)
