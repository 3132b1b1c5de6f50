"""
The sums that the tests judge the loop by: what a pod serves, what is held, what has room.

All of it is done again here, from the profiles and from what a platform shows, and nothing is taken
from the code under test: a mistake in its arithmetic would hide in both places.
"""

import itertools
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

from infadapter_operator.domain.observed import STUCK, Cause, Observed, Pod, Resize
from infadapter_operator.domain.service import Service
from infadapter_solver.problem import PodGroup, Target

Size = Mapping[str, int]

HEADROOM_RATIO = 1.1  # what is kept above the demand of now, where nothing else is lacking


def table_rps(service: Service, target: Target, size: Size, batch_size: int = 1) -> float:
    """By the variant's table: its own row, else the best of the rows that fit inside."""
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
    if some.keys() == other.keys():  # as nearly always
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
    """While it is resized, the larger of both; a size that was refused is nobody's."""
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
    """Starting, resizing or leaving: it will be otherwise by itself, and soon."""
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
    """Every planned pod is Ready, at its size or at a larger one."""
    return all(
        sum(pod.ready and within(g.allocation.resources, pod.resources) for pod in living_of)
        >= g.pods
        for g in groups
        for living_of in [living(observed, g.target)]
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Standing:
    """What a look saw, with its plan, as far as room is concerned. `node` has no more than that."""

    service: Service
    groups: Sequence[PodGroup]
    observed: Observed
    node: Size
    floor_rps: float

    def has_no_path(self) -> bool:
        """Nothing is on its way, something planned is missing, and for all of it there is no room
        that could be made without Ready capacity below the floor."""
        wants = list(self._wants())
        if is_moving(self.observed) or not wants:
            return False
        return not any(
            self._has_room(want, gone)
            for want, costs_rps in wants
            for gone in self._free_ways(costs_rps)
        )

    def has_template_in_its_way(self) -> bool:
        return any(map(self.is_kept_by_its_template, self.groups))

    def is_kept_by_its_template(self, group: PodGroup) -> bool:
        """Further pods come up larger than planned, and beside those planned there is no room."""
        there = living(self.observed, group.target)
        template = self.observed.templates.get(group.target)
        if template is None or not 0 < len(there) < group.pods:
            return False
        may = total([self.service.budget, self.service.max_surge])
        others = total(g.resources for g in self.groups)
        besides = less(others, group.allocation.resources)
        return not within(total([besides, template.resources]), _smaller(may, self.node))

    def _wants(self) -> Iterator[tuple[Size, float]]:
        """
        What more it takes to start each planned pod that is not there, or to grow one, and what
        that costs by itself. Where as many as are planned have the size already, one beside them
        that can't grow goes, and is not replaced: such a group is owed no roll. Pods of another
        batch size or template are.
        """
        for group in self.groups:
            size = group.allocation.resources
            own = living(self.observed, group.target)
            there = [pod for pod in own if not pod.is_lost]
            template = self.observed.templates.get(group.target) if own else None
            enough = sum(within(size, pod.resources) for pod in there) >= group.pods
            stuck = not enough and any(pod.resize in STUCK for pod in there)
            if stuck or any(self._is_of_another_kind(pod, group) for pod in there):
                yield _roll(there, group), self._roll_costs_rps(there, group)
                continue
            if len(there) < group.pods:
                start = larger(size, template.resources) if template else size
                held_back = self._is_rolled_first(there, group)
                yield larger(start, _roll(there, group)) if held_back else start, 0.0
            smaller = [pod for pod in there if not within(size, pod.resources)]
            if not enough:
                yield from ((_more(pod.resources, size), 0.0) for pod in smaller)
            yield from ((pod.wanted.resources, 0.0) for pod in there if is_pending(pod))

    def _is_rolled_first(self, there: Sequence[Pod], group: PodGroup) -> bool:
        """
        Pods that come up larger are held back where the last one would have no room, as long as
        those that are there have room to be rolled (decision 53): room for one of them is no way.
        """
        may = total([self.service.budget, self.service.max_surge])
        own = _roll(there, replace(group, pods=len(there)))
        fits = within(own, less(may, held(self.observed.pods)))
        return self.is_kept_by_its_template(group) and fits

    def _roll_costs_rps(self, there: Sequence[Pod], group: PodGroup) -> float:
        """What the pods that are replaced serve beyond those that come in their places."""
        new = group.allocation
        new_rps = table_rps(self.service, group.target, new.resources, new.batch_size)
        served = (pod_rps(self.service, pod) for pod in there if pod.ready)
        return sum(max(0.0, rps - new_rps) for rps in served)

    def _is_of_another_kind(self, pod: Pod, group: PodGroup) -> bool:
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

    def _free_ways(self, costs_rps: float) -> Iterator[tuple[Pod, ...]]:
        """
        Sets of pods too many that could go for what costs so much by itself, with what is Ready
        still at the floor. What a pod serves that is smaller than all that was measured nobody
        knows: where a router sends to it, the others must suffice.
        """
        spare = [pod for pod in self.observed.pods if self._is_too_many(pod)][:8]
        ready = sum(pod_rps(self.service, p) for p in self.observed.pods if p.ready)
        floor_rps = min(self._kept_rps(costs_rps), ready)
        for size in range(len(spare) + 1):
            for gone in itertools.combinations(spare, size):
                lost = costs_rps + sum(pod_rps(self.service, pod) for pod in gone if pod.ready)
                must_rps = self.floor_rps if any(map(self._serves_unknown, gone)) else floor_rps
                if ready - lost >= must_rps - 1e-6:
                    yield gone

    def _kept_rps(self, costs_rps: float) -> float:
        """
        What costs capacity by itself, a roll, waits for the pods that lack (decision 49): until all
        are Ready, a tenth more than is asked for is kept beside it, where the plan serves that.
        """
        if not costs_rps or all_ready(self.groups, self.observed):
            return self.floor_rps
        plan = plan_rps(self.service, self.groups)
        return max(self.floor_rps, min(HEADROOM_RATIO * self.floor_rps, plan))

    def _serves_unknown(self, pod: Pod) -> bool:
        carries = self.observed.weights.get(pod.name, 0) > 0 or pod.name in self.observed.may_obey
        return pod.ready and carries and not pod_rps(self.service, pod)

    def _is_too_many(self, pod: Pod) -> bool:
        planned = {group.target for group in self.groups}
        return pod.target not in planned and pod.target not in self.observed.untouchable


def _more(has: Size, size: Size) -> Size:
    return {name: max(0, amount) for name, amount in less(size, has).items()}


def _roll(there: Sequence[Pod], group: PodGroup) -> Size:
    """
    Pods that can't grow in place are replaced, one by one: at most all new ones, an old one, and
    another that still leaves, are there at a time.
    """
    new = [group.allocation.resources] * max(group.pods, len(there))
    old = sorted(map(holds, there), key=lambda size: sorted(size.items()))[-2:]
    return _more(held(there), total([*new, *old]))
