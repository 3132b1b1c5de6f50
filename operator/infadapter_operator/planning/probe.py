"""
Probe pods: one pod of a variant that failed before, started beside the plan.

No other pod, weight or plan changes for it. Only once it is Ready a plan includes its variant. It
takes no room from the plan: while planned pods have yet to start or grow, or budget and surge are
full, it waits or is removed.
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
    """A pod to start beside the plan."""

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
    Return a probe of the first target that would be planned if its pods came, or None.

    It has the planned size, or the largest other size that has room: any size shows whether pods
    come. Sizes within the budget are preferred, since surge would be in use for as long as the
    patience lasts.
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
        beyond = not fits(start_resources(counted, target, one), in_budget)
        return beyond, one != most, one.batch_size != most.batch_size, -one.cpu_millicores

    sizes = [a for a in _sizes(service, target) if fits(start_resources(counted, target, a), room)]
    return min(sizes, key=rank).size if sizes else None


def _sizes(service: Service, target: Target) -> list[Allocation]:
    return [a for a in allocations_of(service, target) if a.capacity_rps > 0]


def start_resources(observed: Observed, target: Target, allocation: Allocation) -> Resources:
    """
    Return what a further pod holds. Beside existing pods it starts at the size of their template.
    """
    template = observed.templates.get(target)
    return largest(allocation.resources, template.resources if template else {})


def has_room(service: Service, observed: Observed, target: Target, room: Resources) -> bool:
    """Whether there is room for a pod of any of the target's sizes."""
    sizes = _sizes(service, target)
    return any(fits(start_resources(observed, target, size), room) for size in sizes)


def room_beside(
    service: Service, observed: Observed, plan: Plan | None, aside: Collection[str]
) -> Resources:
    """
    Return what budget and surge leave beside everything held and everything the plan has yet to
    hold.

    `aside` are pods that do not count towards the plan. Surge is included only once the plan is
    reached; before, it is for planned pods.
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
    """
    Whether all planned pods are Ready at their size. Not during a rolling update, which will hold
    more.
    """
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
    Return the pods that start beside the plan and have not failed, oldest first.

    That is the newest surplus pod of each of the retryable `targets`, so that probes are recognised
    after a restart, and awaited pods that start after all.
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
