"""
One pod of what did not come, tried beside the plan: no other pod, weight or plan changes for it.

Only once it is Ready a plan is made with its variant. It takes no room from what is planned: where
the plan has yet to start or grow, or budget and surge are full, it waits or makes way.
"""

from collections import Counter
from collections.abc import Collection, Iterable
from dataclasses import dataclass, replace

from infadapter_operator.domain.decision import Decision
from infadapter_operator.domain.observed import Observed, Pod
from infadapter_operator.domain.service import Service
from infadapter_operator.planning.capacity import (
    allocations_of,
    fits,
    held,
    largest,
    plus,
    same_size,
)
from infadapter_operator.planning.decide import choose
from infadapter_operator.planning.planning_demand import Load
from infadapter_solver.problem import Allocation, Plan, PodGroup, PodSize, Resources, Target


@dataclass(frozen=True, slots=True, kw_only=True)
class Probe:
    """A pod to be started beside the plan."""

    target: Target
    size: PodSize


def probe_of(
    service: Service,
    load: Load,
    counted: Observed,
    decision: Decision,
    targets: Iterable[Target],
    room: Resources,
    now_s: float,
) -> Probe | None:
    """
    Of the first target that would be planned if its pods came; at that size, or the largest other
    one that has room: it shows as well whether they do. One that the budget holds comes first, as
    surge is in use for as long as the patience with it.
    """
    for target in targets:
        wanted = wanted_of(service, load, counted, decision, target, now_s)
        size = size_with_room(service, counted, wanted, room) if wanted else None
        if size is not None:
            return Probe(target=target, size=size)
    return None


def wanted_of(
    service: Service,
    load: Load,
    counted: Observed,
    decision: Decision,
    target: Target,
    now_s: float,
) -> PodGroup | None:
    limits = {other: pods for other, pods in counted.pod_limits.items() if other != target}
    free = replace(counted, pod_limits=limits)
    plan = choose(service, load, free, decision, now_s).plan
    most = counted.pod_limits.get(target, 0)
    return next((g for g in plan.groups if g.target == target and g.pods > most), None)


def size_with_room(
    service: Service, counted: Observed, wanted: PodGroup, room: Resources
) -> PodSize | None:
    target, most = wanted.target, wanted.allocation
    in_budget = plus(room, service.max_surge, -1)

    def rank(one: Allocation) -> tuple[bool, bool, bool, int]:
        beyond = not fits(comes_at(counted, target, one), in_budget)
        return beyond, one != most, one.batch_size != most.batch_size, -one.cpu_millicores

    sizes = [a for a in _sizes(service, target) if fits(comes_at(counted, target, a), room)]
    return min(sizes, key=rank).size if sizes else None


def _sizes(service: Service, target: Target) -> list[Allocation]:
    return [a for a in allocations_of(service, target) if a.capacity_rps > 0]


def comes_at(observed: Observed, target: Target, allocation: Allocation) -> Resources:
    """What a further pod holds: beside others it comes up at their template's size."""
    template = observed.templates.get(target)
    return largest(allocation.resources, template.resources if template else {})


def has_room(service: Service, observed: Observed, target: Target, room: Resources) -> bool:
    """For a pod of any of its sizes."""
    sizes = _sizes(service, target)
    return any(fits(comes_at(observed, target, size), room) for size in sizes)


def room_beside(
    service: Service, observed: Observed, plan: Plan | None, aside: Collection[str]
) -> Resources:
    """
    What budget and surge leave beside all that is held and all that the plan has yet to hold;
    `aside` are pods that the plan does not count. Surge is there only once the plan is reached: on
    the way to it, it is for what is planned.
    """
    reached = _is_reached(observed, plan, aside)
    room = plus(service.budget, service.max_surge) if reached else dict(service.budget)
    there = [pod for pod in observed.pods if not pod.is_lost]
    room = plus(room, held(there), -1)
    counted = [pod for pod in there if not pod.leaving and pod.name not in aside]
    for group in plan.groups if plan else ():
        own = held(pod for pod in counted if pod.target == group.target)
        lacking = plus(group.resources, own, -1)
        room = plus(room, {name: max(0, n) for name, n in lacking.items()}, -1)
    return room


def _is_reached(observed: Observed, plan: Plan | None, aside: Collection[str]) -> bool:
    """Not while a roll is under way, which has yet to hold more."""
    if observed.rolling:
        return False
    ready = [
        pod
        for pod in observed.pods
        if pod.ready and not (pod.leaving or pod.is_lost or pod.name in aside)
    ]
    level = Counter(
        group.target
        for group in (plan.groups if plan else ())
        for pod in ready
        if pod.target == group.target and same_size(pod.size, group.allocation.size)
    )
    return all(level[target] >= pods for target, pods in planned_pods(plan).items())


def started(
    observed: Observed,
    plan: Plan | None,
    targets: Collection[Target],
    awaited: Collection[str],
    failed: Collection[str],
) -> list[Pod]:
    """
    What starts beside the plan and has not failed, the oldest first: the newest pod of each of the
    `targets` that may be tried again, where more are there than planned, so that it is known after
    a restart; and what was waited for, and now starts after all.
    """
    live = [pod for pod in observed.pods if not (pod.leaving or pod.is_lost)]
    beyond = Counter(pod.target for pod in live) - planned_pods(plan)
    new = [
        pod
        for pod in live
        if (pod.target in targets or pod.name in awaited)
        and beyond[pod.target]
        and not (pod.ready or pod.outdated or pod.name in failed)
    ]
    in_order = sorted(new, key=lambda pod: (pod.created_at_s, pod.name))
    newest = {pod.target: pod for pod in in_order}
    return [pod for pod in in_order if pod is newest[pod.target]]


def planned_pods(plan: Plan | None) -> Counter[Target]:
    return Counter({group.target: group.pods for group in (plan.groups if plan else ())})
