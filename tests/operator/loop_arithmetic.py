"""
Reference arithmetic for the tests of the loop: what a pod serves, what pods hold, what fits.

Everything is computed from the profiles and the observed pods, without the code under test: a
mistake in shared arithmetic would not be found.
"""

import itertools
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

from infadapter_operator.domain.observed import STUCK, Cause, Observed, Pod, Resize
from infadapter_operator.domain.service import Service
from infadapter_solver.problem import PodGroup, Target

Size = Mapping[str, int]

HEADROOM_RATIO = 1.1  # capacity to keep during a roll, relative to the current demand


def table_rps(service: Service, target: Target, size: Size, batch_size: int = 1) -> float:
    """Return a size's capacity in the variant's table: of its row, or the best that fits in it."""
    exact = inside = 0.0
    for variant in service.variants:
        for row in variant.allocations if variant.name == target.variant else ():
            same = row.batch_size == batch_size and row.kind == target.kind
            if same and within(row.resources, size):
                inside = max(inside, row.capacity_rps)
                if equal(row.resources, size):
                    exact = max(exact, row.capacity_rps)
    return exact or inside


def pod_rps(service: Service, pod: Pod) -> float:
    return table_rps(service, pod.target, pod.resources, pod.size.batch_size)


def plan_rps(service: Service, groups: Iterable[PodGroup]) -> float:
    return sum(
        g.pods * table_rps(service, g.target, g.allocation.resources, g.allocation.batch_size)
        for g in groups
    )


def within(size: Size, room: Size) -> bool:
    for name, amount in size.items():  # noqa: SIM110 - asked a hundred times in a look
        if amount > 0 and amount > room.get(name, 0):
            return False
    return True


def equal(some: Size, other: Size) -> bool:
    if some.keys() == other.keys():  # the usual case
        return some == other
    return all(some.get(name, 0) == other.get(name, 0) for name in {*some, *other})


def total(sizes: Iterable[Size]) -> dict[str, int]:
    found: dict[str, int] = {}
    for size in sizes:
        for name, amount in size.items():
            found[name] = found.get(name, 0) + amount
    return found


def less(room: Size, taken: Size) -> dict[str, int]:
    return {name: room.get(name, 0) - taken.get(name, 0) for name in {*room, *taken}}


def larger(some: Size, other: Size) -> dict[str, int]:
    return {name: max(some.get(name, 0), other.get(name, 0)) for name in {*some, *other}}


def _smaller(some: Size, other: Size) -> dict[str, int]:
    return {name: min(some[name], other.get(name, 0)) for name in some}


def holds(pod: Pod) -> Size:
    """
    Return what a pod holds: the larger of both sizes during a resize, without a refused size. A pod
    on a lost node holds nothing.
    """
    if pod.trouble is not None and pod.trouble.cause is Cause.NODE_LOST:
        return {}
    return (
        pod.resources
        if pod.resize is Resize.REFUSED
        else larger(pod.resources, pod.wanted.resources)
    )


def held(pods: Iterable[Pod]) -> dict[str, int]:
    return total(holds(pod) for pod in pods)


def is_pending(pod: Pod) -> bool:
    return pod.unschedulable_since_s is not None and not pod.leaving


def is_changing(pod: Pod) -> bool:
    """Whether the pod starts, resizes or terminates, so that it changes soon without a step."""
    resizes = pod.resize in (Resize.NONE, Resize.IN_PROGRESS) and not equal(
        pod.resources, pod.wanted.resources
    )
    starts = not pod.ready and pod.trouble is None and not is_pending(pod)
    return pod.leaving or resizes or starts


def is_moving(observed: Observed) -> bool:
    return any(is_changing(pod) for pod in observed.pods) or any(
        target not in observed.refusals and wanted > len(living(observed, target))
        for target, wanted in observed.desired_pods.items()
    )


def living(observed: Observed, target: Target) -> list[Pod]:
    return [pod for pod in observed.pods if pod.target == target and not pod.leaving]


def all_ready(groups: Iterable[PodGroup], observed: Observed) -> bool:
    """Whether every planned pod is Ready at its planned size or a larger one."""
    return all(
        sum(pod.ready and within(g.allocation.resources, pod.resources) for pod in living_of)
        >= g.pods
        for g in groups
        for living_of in [living(observed, g.target)]
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Standing:
    """
    The observation and plan of one reconcile cycle, to judge what has room. `node` is the node's
    capacity, `floor_rps` the Ready capacity that must be kept.
    """

    service: Service
    groups: Sequence[PodGroup]
    observed: Observed
    node: Size
    floor_rps: float

    def has_no_path(self) -> bool:
        """
        Whether the rollout can continue only by serving less: no pod is changing, planned pods are
        missing, and none of them can get room while Ready capacity stays at the floor.
        """
        wants = list(self._requirements())
        if is_moving(self.observed) or not wants:
            return False
        return not any(
            self._has_room(want, gone)
            for want, costs_rps in wants
            for gone in self._removable_sets(costs_rps)
        )

    def has_template_in_its_way(self) -> bool:
        return any(map(self.is_kept_by_its_template, self.groups))

    def is_kept_by_its_template(self, group: PodGroup) -> bool:
        """
        Whether a group's template blocks its missing pods: at the template's size they do not fit
        in budget and surge, or on the node, beside the other planned pods.
        """
        there = living(self.observed, group.target)
        template = self.observed.templates.get(group.target)
        if template is None or not 0 < len(there) < group.pods:
            return False
        may = total([self.service.budget, self.service.max_surge])
        others = total(g.resources for g in self.groups)
        besides = less(others, group.allocation.resources)
        return not within(total([besides, template.resources]), _smaller(may, self.node))

    def _requirements(self) -> Iterator[tuple[Size, float]]:
        """
        Yield the additional resources that each missing start, growth or roll needs, and the rps
        that the change itself costs. If as many pods as planned have the size already, a further
        one that can't grow is removed, not replaced: such a group needs no roll. Pods of another
        batch size or template do.
        """
        for group in self.groups:
            size = group.allocation.resources
            own = living(self.observed, group.target)
            there = [pod for pod in own if not pod.is_lost]
            template = self.observed.templates.get(group.target) if own else None
            enough = sum(within(size, pod.resources) for pod in there) >= group.pods
            stuck = not enough and any(pod.resize in STUCK for pod in there)
            if stuck or any(self._needs_replacement(pod, group) for pod in there):
                yield _roll_room(there, group), self._roll_costs_rps(there, group)
                continue
            if len(there) < group.pods:
                start = larger(size, template.resources) if template else size
                held_back = self._is_rolled_first(there, group)
                yield larger(start, _roll_room(there, group)) if held_back else start, 0.0
            smaller = [pod for pod in there if not within(size, pod.resources)]
            if not enough:
                yield from ((_shortfall(pod.resources, size), 0.0) for pod in smaller)
            yield from ((pod.wanted.resources, 0.0) for pod in there if is_pending(pod))

    def _is_rolled_first(self, there: Sequence[Pod], group: PodGroup) -> bool:
        """
        Whether the group's pods are rolled before it gets more: a pod at the template's size would
        have no room, but a roll of the existing pods has (decision 53). Room for a single start is
        not enough then.
        """
        may = total([self.service.budget, self.service.max_surge])
        own = _roll_room(there, replace(group, pods=len(there)))
        fits = within(own, less(may, held(self.observed.pods)))
        return self.is_kept_by_its_template(group) and fits

    def _roll_costs_rps(self, there: Sequence[Pod], group: PodGroup) -> float:
        """Return the Ready capacity by which replaced pods exceed their successors."""
        new = group.allocation
        new_rps = table_rps(self.service, group.target, new.resources, new.batch_size)
        served = (pod_rps(self.service, pod) for pod in there if pod.ready)
        return sum(max(0.0, rps - new_rps) for rps in served)

    def _needs_replacement(self, pod: Pod, group: PodGroup) -> bool:
        is_stale = pod.outdated and group.target not in self.observed.rolling
        return is_stale or pod.size.batch_size != group.allocation.batch_size

    def _has_room(self, want: Size, gone: Sequence[Pod]) -> bool:
        may = total([self.service.budget, self.service.max_surge])
        stay = [pod for pod in self.observed.pods if pod not in gone]
        on_node = total(pod.resources for pod in stay if not is_pending(pod) and not pod.is_lost)
        return (
            not any(map(is_pending, stay))
            and within(want, less(may, held(stay)))
            and within(want, less(self.node, on_node))
        )

    def _removable_sets(self, costs_rps: float) -> Iterator[tuple[Pod, ...]]:
        """
        Yield the sets of surplus pods that can be removed for a change that costs `costs_rps`, so
        that Ready capacity stays at the floor. The capacity of a pod smaller than all measured
        sizes is unknown: if the router sends to it, the other pods must suffice.
        """
        spare = [pod for pod in self.observed.pods if self._is_surplus(pod)][:8]
        ready = sum(pod_rps(self.service, p) for p in self.observed.pods if p.ready)
        floor_rps = min(self._kept_rps(costs_rps), ready)
        for size in range(len(spare) + 1):
            for gone in itertools.combinations(spare, size):
                lost = costs_rps + sum(pod_rps(self.service, pod) for pod in gone if pod.ready)
                must_rps = (
                    self.floor_rps if any(map(self._has_unknown_capacity, gone)) else floor_rps
                )
                if ready - lost >= must_rps - 1e-6:
                    yield gone

    def _kept_rps(self, costs_rps: float) -> float:
        """
        Return the capacity to keep. A roll that costs capacity waits for the missing pods (decision
        49): until all are Ready, it must leave 10 % more than the demand, if the plan serves that.
        """
        if not costs_rps or all_ready(self.groups, self.observed):
            return self.floor_rps
        plan = plan_rps(self.service, self.groups)
        return max(self.floor_rps, min(HEADROOM_RATIO * self.floor_rps, plan))

    def _has_unknown_capacity(self, pod: Pod) -> bool:
        carries = self.observed.weights.get(pod.name, 0) > 0 or pod.name in self.observed.may_obey
        return pod.ready and carries and not pod_rps(self.service, pod)

    def _is_surplus(self, pod: Pod) -> bool:
        planned = {group.target for group in self.groups}
        return pod.target not in planned and pod.target not in self.observed.untouchable


def _shortfall(has: Size, size: Size) -> Size:
    return {name: max(0, amount) for name, amount in less(size, has).items()}


def _roll_room(there: Sequence[Pod], group: PodGroup) -> Size:
    """
    Return the resources that a roll needs in addition. Pods are replaced one by one: at most all
    new pods, one old pod and one terminating pod exist at the same time.
    """
    new = [group.allocation.resources] * max(group.pods, len(there))
    old = sorted(map(holds, there), key=lambda size: sorted(size.items()))[-2:]
    return _shortfall(held(there), total([*new, *old]))
