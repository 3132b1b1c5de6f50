"""What is added: pods and sizes that the plan wants and the budget with its surge has room for."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from infadapter_operator.acting.placing import Placed, held_by, of_target
from infadapter_operator.acting.room import Room, room_for, start_size
from infadapter_operator.observed import Observed
from infadapter_operator.planning.capacity import allocations_of, find_variant, largest, plus
from infadapter_operator.service import Service
from infadapter_operator.steps import ResizePod, ScaleUp
from infadapter_solver.problem import CPU, Allocation, Amounts, Plan, PodGroup


@dataclass(frozen=True, slots=True)
class Growth:
    """The steps, the resources of which there was too little for more of them, what is left."""

    steps: tuple[ScaleUp | ResizePod, ...]
    short: frozenset[str]
    room: Room


def growth(
    service: Service,
    plan: Plan,
    pods: Sequence[Placed],
    observed: Observed,
    *,
    smaller: bool = False,
    bridges: bool = False,
) -> Growth:
    """
    Resizes first, they serve at once; then new pods, those that load fastest first.

    What was asked to grow beyond its plan is left to, while it `bridges`. With `smaller`, what has
    no room at its planned size starts or grows to the largest that has.
    """
    grower = _Grower(service, observed, room_for(service, plan, observed), smaller, bridges)
    groups = sorted(plan.groups, key=lambda g: (_load_s(service, g), g.target))
    groups = [group for group in groups if group.target not in observed.untouchable]
    for group in groups:
        for one in of_target(pods, group.target):
            grower.resize(one)
    for group in groups:
        grower.start(group, len(of_target(pods, group.target)))
    return Growth(tuple(grower.steps), frozenset(grower.short), grower.room)


class _Grower:
    def __init__(
        self, service: Service, observed: Observed, room: Room, smaller: bool, bridges: bool
    ) -> None:
        self._service = service
        self._observed = observed
        self._smaller = smaller
        self._bridges = bridges
        self.room = room
        self.steps: list[ScaleUp | ResizePod] = []
        self.short: set[str] = set()

    def resize(self, one: Placed) -> None:
        goal = one.goal
        if goal is None or not one.can_resize or one.is_asked or one.shrinks:
            return
        if self._bridges and one.is_to_exceed_its_goal:
            return
        for allocation in self._sizes(one, goal):
            more = beyond(held_by(one.pod), allocation.resources)
            if self.room.times(more):
                self.room.take(more)
                self.steps.append(
                    ResizePod(pod=one.pod.name, target=one.pod.target, allocation=allocation)
                )
                return
        self.short.add(CPU)

    def start(self, group: PodGroup, live: int) -> None:
        there = self._observed.desired_pods.get(group.target, live)
        wanted = group.pods - there
        if wanted <= 0:
            return
        allocation = self._startable(group, first=there == 0)
        comes_at = start_size(self._observed, group.target, allocation) if there else None
        size = largest(comes_at or {}, allocation.resources)
        fitting = min(wanted, self.room.times(size))
        if fitting:
            self.room.take(size, fitting)
            self.steps.append(
                ScaleUp(target=group.target, allocation=allocation, pods=there + fitting)
            )
        if fitting < wanted:
            self.short |= {name for name in size if not self.room.times({name: size[name]})}

    def _startable(self, group: PodGroup, *, first: bool) -> Allocation:
        """Only the first pod of a target can choose its size, and only one pod starts so."""
        if not (self._smaller and first) or self.room.times(group.allocation.resources):
            return group.allocation
        sizes = [
            a
            for a in allocations_of(self._service, group.target)
            if a.batch_size == group.allocation.batch_size and self.room.times(a.resources)
        ]
        return max(sizes, key=lambda a: a.capacity_rps, default=group.allocation)

    def _sizes(self, one: Placed, goal: Allocation) -> Iterator[Allocation]:
        yield goal
        if self._smaller:
            between = [
                a
                for a in allocations_of(self._service, one.pod.target)
                if held_by(one.pod).get(CPU, 0) < a.cpu_millicores < goal.cpu_millicores
                and a.capacity_rps > one.capacity_rps
                and _same_but_cpu(a, goal)
            ]
            yield from sorted(between, key=lambda a: -a.cpu_millicores)


def _same_but_cpu(some: Allocation, other: Allocation) -> bool:
    return [x for x in some.size if x[0] != CPU] == [x for x in other.size if x[0] != CPU]


def beyond(held: Amounts, wanted: Amounts) -> Amounts:
    return {name: max(0, more) for name, more in plus(wanted, held, -1).items()}


def _load_s(service: Service, group: PodGroup) -> float:
    variant = find_variant(service, group.target.variant)
    return variant.load_time_s if variant else 0.0
