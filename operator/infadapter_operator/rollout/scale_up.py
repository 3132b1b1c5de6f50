"""What is added: pods and sizes that the plan wants and the budget with its surge has room for."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from infadapter_operator.delays import RESIZE_S, START_S
from infadapter_operator.domain.observed import STUCK, Observed
from infadapter_operator.domain.service import Service
from infadapter_operator.domain.steps import ResizePod, ScaleUp
from infadapter_operator.planning.capacity import (
    allocations_of,
    held_by,
    largest,
    load_time_s,
    plus,
    total,
)
from infadapter_operator.rollout.free import Room, rolled_beyond, room_for, start_size
from infadapter_operator.rollout.match import WAITS, PodState, of_target, resize_failed
from infadapter_operator.rollout.release import Releases
from infadapter_operator.rollout.surge_time import is_closed, is_over
from infadapter_solver.problem import CPU, Allocation, Plan, PodGroup, Resources, Target


@dataclass(frozen=True, slots=True, kw_only=True)
class Shortage:
    """Something planned for which there is no room; or a smaller form of it, which also helps."""

    lacking: Resources  # of the resources that are short, how much
    gain_rps: float  # what it will serve
    wait_s: float  # until it does
    pod: str = ""  # which is to grow; empty: one that is to start
    instead: Releases | None = None  # what of pods that are replaced leaves room for the others
    is_of_node: bool = False  # of a node and not of the budget: how much it lacks is a guess


@dataclass(frozen=True, slots=True, kw_only=True)
class Growth:
    """The steps, what there was no room for, and what is left of the room."""

    steps: tuple[ScaleUp | ResizePod, ...]
    resized: Mapping[str, Allocation]  # by pod, of these steps
    shortages: tuple[Shortage, ...]
    room: Room
    outgrown: frozenset[Target] = frozenset()  # whose new pods come up larger than there is room
    waits: bool = False  # something starts once all is within the budget again

    @property
    def short(self) -> frozenset[str]:
        return frozenset(name for one in self.shortages for name in one.lacking)


def scale_up(
    service: Service,
    plan: Plan,
    pods: Sequence[PodState],
    observed: Observed,
    now_s: float,
    *,
    smaller: bool = False,
    bridges: bool = False,
) -> Growth:
    """
    Resizes first, they serve at once; then new pods, those that load fastest first.

    What was asked to grow beyond its plan is left to, while it `bridges`. With `smaller`, what has
    no room at its planned size starts or grows to the largest that has.
    """
    room = room_for(service, plan, observed)
    closed = is_closed(observed, now_s)
    over = closed and is_over(service, observed.pods)
    if closed and not over:
        room.take(service.max_surge)  # until a look has seen that it came back
    grower = _Grower(
        service,
        plan,
        observed,
        room,
        now_s,
        smaller=smaller,
        bridges=bridges,
        closed=closed,
        over=over,
    )
    groups = sorted(plan.groups, key=lambda g: (load_time_s(service, g.target), g.target))
    groups = [group for group in groups if group.target not in observed.untouchable]
    for group in groups:
        for one in of_target(pods, group.target):
            grower.resize(one)
    for group in groups:
        grower.start(group, of_target(pods, group.target))
    return Growth(
        steps=tuple(grower.steps),
        resized=grower.resized,
        shortages=tuple(grower.shortages),
        room=grower.room,
        outgrown=frozenset(grower.outgrown),
        waits=grower.waits,
    )


class _Grower:
    def __init__(
        self,
        service: Service,
        plan: Plan,
        observed: Observed,
        room: Room,
        now_s: float,
        *,
        smaller: bool,
        bridges: bool,
        closed: bool,
        over: bool,
    ) -> None:
        self._service = service
        self._spare = _spare(service, plan)
        self._observed = observed
        self._now_s = now_s
        self._smaller = smaller
        self._bridges = bridges
        self._closed, self._over = closed, over  # surge; more than the budget is held
        self.room = room
        self.steps: list[ScaleUp | ResizePod] = []
        self.resized: dict[str, Allocation] = {}
        self.shortages: list[Shortage] = []
        self.outgrown: set[Target] = set()
        self.waits = False

    def resize(self, one: PodState) -> None:
        desired = one.desired
        if desired is None or not one.can_resize or one.is_asked or one.shrinks or one.is_refused:
            return
        if one.actual.unschedulable_since_s is not None:
            return  # larger it would wait for longer; once it has a node it grows
        if self._bridges and one.is_to_exceed_desired and self._may_come(one):
            return
        between = self._sizes_up_to(one, desired)
        for allocation in [desired, *between] if self._smaller else [desired]:
            more = beyond(held_by(one.actual), allocation.resources)
            if self.room.times(more):
                self.room.take(more)
                self.steps.append(
                    ResizePod(pod=one.actual.name, target=one.actual.target, size=allocation.size)
                )
                self.resized[one.actual.name] = allocation
                return
        for allocation in (desired, *between):
            self._lacks(
                beyond(held_by(one.actual), allocation.resources),
                gain_rps=allocation.capacity_rps - one.capacity_rps,
                wait_s=RESIZE_S,
                pod=one.actual.name,
            )

    def _may_come(self, one: PodState) -> bool:
        """A bridge: its size is not known not to come, and it has not waited for too long."""
        pod, patience_s = one.actual, self._service.patience.start_s
        most = self._observed.size_limits.get(pod.target, math.inf)
        fails = pod.resize in WAITS and resize_failed(pod, self._now_s, patience_s)
        return pod.wanted.cpu_millicores <= most and not fails

    def start(self, group: PodGroup, live: Sequence[PodState]) -> None:
        """What is rolled gets its pods by that: others would come up at a size that is no more."""
        there = self._observed.desired_pods.get(group.target, len(live))
        wanted = group.pods - there
        rolls = any(one.must_be_replaced(self._now_s) for one in live)
        if wanted <= 0 or rolls or has_only_a_template(self._observed, group, live):
            return
        first = there == 0 and group.target not in self._observed.templates
        allocation = self._startable(group, first=first)
        comes_at = start_size(self._observed, group.target, allocation.size)
        size = largest(comes_at or {}, allocation.resources)
        fitting = 0 if self._over else self._startable_pods(group, size, there)
        if fitting:
            self.room.take(size, fitting)
            self.steps.append(
                ScaleUp(target=group.target, size=allocation.size, pods=there + fitting)
            )
        if self._closed:
            self.waits |= fitting < wanted
            return
        if any(one.actual.unschedulable_since_s is not None for one in live):
            return  # one of them waits for a node: room in the budget is not what more of them lack
        if fitting < wanted:
            self._lacks_start(group, size, first=first and not fitting)
        if not fitting and size != allocation.resources:
            self.outgrown.add(group.target)

    def _startable_pods(self, group: PodGroup, size: Resources, there: int) -> int:
        """
        Pods that come up larger than planned shrink then, and for the last one there may be no room
        beside all that is planned. Then those that are there have to be rolled first: where there
        is room for that, it is not used up.
        """
        planned, wanted = group.allocation.resources, group.pods - there
        most = min(wanted, self.room.times(size))
        last_fits = self._spare.with_back(planned).times(size)
        if last_fits or not self._may_roll(planned, there, 0):
            return most
        return next((n for n in range(most, 0, -1) if self._may_roll(planned, there, n)), 0)

    def _may_roll(self, planned: Resources, there: int, more: int) -> bool:
        """When so many more have started and have the planned size."""
        own = [planned] * (there + more)
        left = self.room.with_back({name: -more * amount for name, amount in planned.items()})
        return left.times(rolled_beyond(own, planned, len(own))) > 0

    def _lacks_start(self, group: PodGroup, size: Resources, *, first: bool) -> None:
        sizes = [(size, group.allocation.capacity_rps)]
        if first:
            most = group.allocation.cpu_millicores
            smaller = [a for a in self._start_sizes(group) if a.cpu_millicores < most]
            sizes += [(a.resources, a.capacity_rps) for a in smaller]
        for amounts, rps in sizes:
            self._lacks(
                amounts, gain_rps=rps, wait_s=START_S + load_time_s(self._service, group.target)
            )

    def _lacks(self, amounts: Resources, *, gain_rps: float, wait_s: float, pod: str = "") -> None:
        lacking = self.room.lacking(amounts)
        if lacking and gain_rps > 0:
            self.shortages.append(
                Shortage(lacking=lacking, gain_rps=gain_rps, wait_s=wait_s, pod=pod)
            )

    def _startable(self, group: PodGroup, *, first: bool) -> Allocation:
        """
        Only the first pod of a target can choose its size, and only one pod starts so; but not in
        the place of one that goes since it did not grow: that one would not grow, either.
        """
        did_not_grow = any(pod.resize in STUCK for pod in self._observed.of(group.target))
        smaller = self._smaller and first and not did_not_grow
        if not smaller or self.room.times(group.allocation.resources):
            return group.allocation
        sizes = [a for a in self._start_sizes(group) if self.room.times(a.resources)]
        return max(sizes, key=lambda a: a.capacity_rps, default=group.allocation)

    def _start_sizes(self, group: PodGroup) -> list[Allocation]:
        return [
            a
            for a in allocations_of(self._service, group.target)
            if a.batch_size == group.allocation.batch_size and a.capacity_rps > 0
        ]

    def _sizes_up_to(self, one: PodState, desired: Allocation) -> list[Allocation]:
        """Larger than it has and smaller than planned, the largest first."""
        between = [
            a
            for a in allocations_of(self._service, one.actual.target)
            if held_by(one.actual).get(CPU, 0) < a.cpu_millicores < desired.cpu_millicores
            and a.capacity_rps > one.capacity_rps
            and a.size.but_cpu == desired.size.but_cpu
        ]
        return sorted(between, key=lambda a: -a.cpu_millicores)


def has_only_a_template(observed: Observed, group: PodGroup, live: Sequence[PodState]) -> bool:
    """
    None of its pods counts, but such as are lost with a node keep a template of another size: what
    comes up by that would be to grow, and where it does not, to go, again and again.
    """
    template = observed.templates.get(group.target)
    return not live and template is not None and template != group.allocation.size


def _spare(service: Service, plan: Plan) -> Room:
    """What budget and surge have beside all that is planned."""
    planned = total(group.resources for group in plan.groups)
    return Room(plus(plus(service.budget, service.max_surge), planned, -1))


def beyond(held: Resources, wanted: Resources) -> Resources:
    return {name: max(0, more) for name, more in plus(wanted, held, -1).items()}
