"""
Whether a rollout ends, and how soon: at its plan, or at a rest that has a name.

How long it may take is counted here from the state it begins in. An exchange is a planned pod that
has yet to start, to be resized or to be replaced; how many fit at once is counted low: none beside
each other where the plan has no capacity to spare, and elsewhere as many as the surge holds twice;
of a roll one, whatever the surge.
"""

import itertools
import math
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace

from infadapter_operator.domain.observed import Cause, Observed, Pod, Resize
from infadapter_operator.domain.service import Service
from infadapter_operator.domain.steps import SetWeights
from infadapter_simulator.world.node import EVICTED_S
from infadapter_solver.problem import CPU, Plan, PodGroup, Target
from tests.operator.loop_arithmetic import (
    Standing,
    all_ready,
    equal,
    held,
    is_moving,
    is_pending,
    living,
    plan_rps,
    pod_rps,
    within,
)
from tests.operator.loop_contract import LINGER_S, OBEYED_WITHIN_S, RESIZE_S, ROLL_S
from tests.operator.loop_runner import Runner
from tests.operator.loop_world import World
from tests.operator.rollout.liveness_cases import Case, decisions_of, name_of, world_of

SPARE = 1.1  # of the demand: a plan with less cannot do without any of its capacity
QUIET_LOOKS = 10
RETRY_LOOKS = 4  # of those in which a blocked pod is tried once
REST_S = 60.0


Left = tuple[Target, Cause, int | None]
"""What did not come, why, and the largest size of it that may find a node."""


@dataclass(slots=True)
class Record:
    """What all cases together took."""

    cases: int = 0
    reached: int = 0
    longest_s: float = 0.0
    its_bound_s: float = 0.0
    nearest: float = 0.0  # of all, the largest share of its bound
    nearest_case: Case | None = None
    rests: dict[str, int] = field(default_factory=dict)

    def note(self, case: Case, took_s: float, bound_s: float) -> None:
        self.reached += 1
        if took_s > self.longest_s:
            self.longest_s, self.its_bound_s = took_s, bound_s
        if took_s / bound_s > self.nearest:
            self.nearest, self.nearest_case = took_s / bound_s, case

    def __str__(self) -> str:
        return (
            f"{self.cases} cases, {self.reached} plans reached; the longest way took "
            f"{self.longest_s:.0f} s of {self.its_bound_s:.0f} s; nearest to its bound "
            f"{self.nearest:.0%}; rests: {self.rests or 'none'}"
        )


RECORD = Record()


@dataclass(frozen=True, slots=True, kw_only=True)
class Bound:
    exchanges: int
    at_once: int
    once_s: float
    rolled: int = 0  # of the exchanges, those that a platform makes one after the other

    @property
    def seconds(self) -> float:
        others = math.ceil((self.exchanges - self.rolled) / self.at_once)
        return (self.rolled + others) * self.once_s


def bound_of(world: World, plan: Plan, demand_rps: float, every_s: float) -> Bound:
    service, observed = world.service, world.seen()
    exchanges, rolled, sizes = 0, 0, [0]
    for group in plan.groups:
        there = living(observed, group.target)
        size = group.allocation.resources
        exchanges += max(0, group.pods - len(there))
        rolls = any(pod.size.batch_size != group.allocation.batch_size for pod in there)
        rolls |= _standing(world, plan.groups).is_kept_by_its_template(group)
        exchanges += sum(rolls or not _is_asked(pod, group) for pod in there)
        rolled += len(there) if rolls else 0
        template = observed.templates.get(group.target)
        sizes += [size[CPU], template.resources[CPU] if there and template else 0]
    goes = len(observed.pods) + exchanges > sum(group.pods for group in plan.groups)
    sizes += [pod.resources[CPU] for pod in observed.pods]
    used = sum(group.resources[CPU] for group in plan.groups)
    surge = min(service.budget[CPU] + service.max_surge[CPU], world.room[CPU]) - used
    spares = plan_rps(service, plan.groups) >= SPARE * demand_rps
    return Bound(
        exchanges=exchanges + goes + is_moving(observed),
        at_once=max(1, surge // (2 * max(sizes))) if spares else 1,
        once_s=_slowest_s(service) + _confirm_s(world, every_s) + LINGER_S + RESIZE_S + 2 * every_s,
        rolled=rolled,
    )


def _standing(world: World, groups: Sequence[PodGroup]) -> Standing:
    return Standing(
        service=world.service,
        groups=groups,
        observed=world.seen(),
        node=world.room,
        floor_rps=0.0,
    )


def _confirm_s(world: World, every_s: float) -> float:
    """Where a look comes before what the last one sent is confirmed, that may be late."""
    confirm_s = world.scenario.weights_lag_s
    late_s = OBEYED_WITHIN_S if confirm_s > every_s else 0.0
    return confirm_s + late_s


def is_reached(plan: Plan, observed: Observed) -> bool:
    """
    The planned pods are Ready at their sizes, and no others are there; nor rolls anything, as its
    platform gives up an old pod yet, when a new one has been Ready for a while.
    """
    if observed.rolling:
        return False
    wanted = {group.target: group for group in plan.groups}
    counts = {target: group.pods for target, group in wanted.items()}
    for pod in observed.pods:
        if pod.is_lost:
            continue
        group = wanted.get(pod.target)
        if group is None or not pod.ready or not _is_level(pod, group):
            return False
        counts[pod.target] -= 1
    return not any(counts.values())


class Rollout:
    """One case, a look a second."""

    def __init__(self, case: Case, record: Record = RECORD) -> None:
        self.case, self.record = case, record
        self.world = world_of(case)
        self.runner = Runner(world=self.world, every_s=1.0)
        self.least_carried_rps = self.world.carried_rps()
        self.idle_looks = 0
        self._known_looks, self._known_blocked = 0, self._never()
        self._known_left: frozenset[Left] = frozenset()

    async def pass_a_look(self) -> None:
        await self.runner.run(1.0)
        self.least_carried_rps = min(self.least_carried_rps, self.world.carried_rps())
        self.idle_looks = self.idle_looks + 1 if self._is_idle_beyond_the_budget() else 0
        longest_s = _confirm_s(self.world, 1.0) + OBEYED_WITHIN_S
        assert self.idle_looks <= longest_s + 5, f"more than the budget, idly: {self._why(None)}"

    def _is_idle_beyond_the_budget(self) -> bool:
        """What is held beyond it is for something that starts, resizes or leaves."""
        observed = self.world.seen()
        ours = [_as_it_is(pod) for pod in observed.pods if not is_pending(pod)]
        beyond = not within(held(ours), self.world.service.budget)
        return beyond and not is_moving(observed) and not self._has_template_in_its_way()

    @property
    def plan(self) -> Plan:
        decision = self.runner.state.decision
        assert decision is not None
        return decision.plan

    async def begin(self) -> None:
        """Plans come and go, and the last one stays."""
        self.record.cases += 1
        *passing, last = decisions_of(self.case)
        for decision in passing:
            self.runner.state = replace(self.runner.state, decision=decision)
            await self.runner.run(1.0)
        self.runner.state = replace(self.runner.state, decision=last)
        self.first = last.plan

    async def reaches(self) -> None:
        """The plan, in time, and then nothing more is done."""
        await self.begin()
        bound = bound_of(self.world, self.plan, self.case.demand_rps, 1.0)
        late_s = OBEYED_WITHIN_S if len(self.case.plans) > 1 else 0.0
        limit_s = max(bound.seconds, bound.once_s) + late_s
        began_s, rolls, left, before = self.world.now_s, False, 0, self.first
        while not is_reached(self.plan, self.world.seen()):
            took_s = self.world.now_s - began_s
            if not rolls and (self.world.seen().rolling or self._has_template_in_its_way()):
                limit_s, rolls = limit_s + ROLL_S * (bound.exchanges + 1), True
            known = len(self._left())
            if self.plan != before and left < known:
                limit_s = max(limit_s, took_s + self._again_s(rolls))
                left, before = known, self.plan
            hindered = self._has_template_in_its_way() or self._waits_for_the_node()
            rests_s = max(limit_s, REST_S) + bound.once_s
            if hindered and took_s > rests_s and not self._is_patient_yet(took_s - rests_s, bound):
                return self._rests()
            assert hindered or took_s <= limit_s, (
                f"not reached after {took_s:.0f} s: {self._why(bound)}"
            )
            await self.pass_a_look()
        self.record.note(self.case, self.world.now_s - began_s, limit_s)
        await self.runner.run(self.case.confirm_s + 3.0)
        await self._is_quiet(tries=False)

    def _is_patient_yet(self, late_s: float, bound: Bound) -> bool:
        """It is no rest while patience has not ended, which begins anew with each exchange."""
        most_s = bound.exchanges * (bound.once_s + self.world.service.patience.start_s)
        return late_s <= most_s and self._is_patient()

    def _again_s(self, rolls: bool) -> float:
        """
        A plan without what did not come begins where it is made, as the first one did: its own
        exchanges, each for as long as one takes, and a roll, which lets each new pod be Ready for
        a while. There is one for each target, cause and size at most: nothing fails here but for
        want of room, and smaller sizes of it are planned then.
        """
        again = bound_of(self.world, self.plan, self.case.demand_rps, 1.0)
        rolls_s = ROLL_S * (again.exchanges + 1) if rolls else 0.0
        return again.seconds + again.once_s + rolls_s

    def _left(self) -> frozenset[Left]:
        """For what a plan was made without something, in any look so far."""
        self._known_left |= {
            (target, block.cause, block.fitting_millicores)
            for seen in self.runner.looks[-1:]
            for target, block in seen.blocks.items()
        }
        strange = {cause for _, cause, _ in self._known_left} - {Cause.NO_NODE, Cause.RESIZE}
        assert not strange, f"left although nothing fails: {strange}"
        return self._known_left

    async def rests(self) -> None:
        """At its plan or, when patience ends, where a name says why; and within the budget."""
        await self.begin()
        bound = bound_of(self.world, self.plan, self.case.demand_rps, 1.0)
        patience = self.world.service.patience
        waits_s = max(patience.start_s, patience.ready_within_s(_slowest_s(self.world.service)))
        once_s = REST_S + waits_s + bound.exchanges * (bound.once_s + ROLL_S)
        began_s = self.world.now_s
        while self.world.now_s < began_s + (1 + len(self._blocked())) * once_s:
            await self.runner.run(1.0)
            if is_reached(self.plan, self.world.seen()) and not self.case.never:
                self.record.note(self.case, self.world.now_s - began_s, once_s)
                return
            if self._rests_already():
                break
        await self._pass_an_eviction(bound.once_s)
        await self._is_quiet(tries=True)
        self._rests()
        self._plans_without_what_is_blocked()

    async def _pass_an_eviction(self, settles_s: float) -> None:
        """
        What is lost with its node is evicted by the platform, which makes another pod in its place:
        that one is taken back, and is none of the rest. One that is due meanwhile is awaited.
        """
        lost = (pod.unready_since_s for pod in self.world.seen().pods if pod.is_lost)
        evicted_s = max((s + EVICTED_S for s in lost if s is not None), default=-math.inf)
        soon_s = evicted_s - self.world.now_s
        if 0.0 <= soon_s <= QUIET_LOOKS:
            await self.runner.run(soon_s + settles_s)

    def _rests_already(self) -> bool:
        """For some time, at a rest with a name; where pods never come, a new plan is to follow."""
        window = self.runner.looks[-QUIET_LOOKS:]
        named = all(seen.progress and seen.progress.rest and not seen.steps for seen in window)
        return named and len(window) == QUIET_LOOKS and not self.case.never

    def _blocked(self) -> frozenset[Target]:
        """In any look so far; each is asked once, as this is asked at every one."""
        new = self.runner.looks[self._known_looks :]
        self._known_looks = len(self.runner.looks)
        self._known_blocked |= {target for seen in new for target in seen.blocks}
        return self._known_blocked

    def _never(self) -> frozenset[Target]:
        return frozenset(Target(name_of(kind)) for kind in self.case.never)

    async def _is_quiet(self, *, tries: bool) -> None:
        """What is blocked is tried again now and then: it comes, is weighed, and goes."""
        looks = await self.runner.run(QUIET_LOOKS)
        blocked = self._blocked() if tries else frozenset()
        for seen in looks:
            moved = [
                step
                for step in seen.steps
                if not (blocked and isinstance(step, SetWeights))
                and getattr(step, "target", None) not in blocked
            ]
            assert not moved, f"at {seen.now_s:.0f} s it does not rest: {moved}"
        busy = [seen.steps for seen in looks if seen.steps]
        assert len(busy) <= RETRY_LOOKS, f"no rest between attempts: {busy}"

    def _rests(self) -> None:
        """Under a name, within the budget; but at that very moment what is blocked may be tried."""
        observed = self.world.seen()
        window = self.runner.looks[-QUIET_LOOKS:]
        rests = {p.rest for seen in window if (p := seen.progress) and p.rest}
        named = rests or self._is_tried() or is_reached(self.plan, observed)
        assert named, f"no rest is named: {self._why(None)}"
        for rest in rests:
            self.record.rests[rest] = self.record.rests.get(rest, 0) + 1
        tried = [pod for pod in observed.pods if not pod.ready and pod.target in self._blocked()]
        placed = [pod for pod in observed.pods if not is_pending(pod) and pod not in tried]
        ours = [_as_it_is(pod) for pod in placed]
        assert within(held(ours), self.world.service.budget), f"beyond the budget: {held(ours)}"

    def _is_tried(self) -> bool:
        """A pod is there of what is blocked that is not Ready, or waits for its size."""
        return any(
            pod.target in self.runner.looks[-1].blocks
            and (not pod.ready or pod.resize is not Resize.NONE)
            for pod in self.world.seen().pods
        )

    def _plans_without_what_is_blocked(self) -> None:
        """
        Of what never comes no more is planned than is there, but for one that is tried. What was
        not asked for, since there was no room for it, nobody knows of.
        """
        observed = self.world.seen()
        known = {
            target
            for seen in self.runner.looks
            for target, block in seen.blocks.items()
            if block.cause is not Cause.RESIZE
        }
        for group in self.plan.groups:
            if group.target in self._never() & known:
                ready = sum(pod.ready for pod in living(observed, group.target))
                assert group.pods <= ready + 1, f"still planned: {group}"
        if self._others_suffice() and self.plan is not self.first:
            assert self.world.ready_rps() >= self.case.demand_rps, "others could serve the demand"

    def _others_suffice(self) -> bool:
        """One variant alone, of those that come, and nothing else is in the way."""
        if self.case.fates or self.case.node < 10**9 or any(one.lost for one in self.case.there):
            return False
        return any(
            self.case.budget // size * rps >= 1.3 * self.case.demand_rps + 5.0
            for index, kind in enumerate(self.case.kinds)
            for size, rps in kind.rps.items()
            if index not in self.case.never
        )

    def _waits_for_the_node(self) -> bool:
        """
        What its node has no room for, while what runs serves all that is asked for, or as much as
        the plan would, so that nothing could be gained, or room for it costs more than half of what
        all do: nothing is given up then, and it is left when patience ends (decision 12).
        Nothing is given up for a resize that waits: a pod takes its place then. When patience has
        ended, nothing is waited for but at a rest with a name.
        """
        observed, ready_rps = self.world.seen(), self.world.ready_rps()
        if not (self._is_patient() or self._names_a_rest()):
            return False
        if any(pod.resize is Resize.DEFERRED for pod in observed.pods):
            return True
        waiting = [pod for pod in observed.pods if is_pending(pod)]
        ready = [pod_rps(self.world.service, pod) for pod in observed.pods if pod.ready]
        is_needed = max(ready, default=0.0) > 0.5 * ready_rps
        costs_rps = min((self._costs_rps(observed, pod) for pod in waiting), default=0.0)
        enough_rps = min(self.case.demand_rps, plan_rps(self.world.service, self.plan.groups))
        is_dear = is_needed or costs_rps > 0.5 * ready_rps + 1e-6
        return bool(waiting) and (is_dear or ready_rps >= enough_rps - 1e-6)

    def _costs_rps(self, observed: Observed, waits: Pod) -> float:
        """
        Of the pods that are too many, the least that serves in the room of half of what this one
        asks for: how much its node lacks is not told. All of them, where they are smaller.
        """
        half = -(-waits.wanted.cpu_millicores // 2)
        spare = [pod for pod in observed.pods if not (pod.leaving or is_pending(pod))]
        ways = list(self._too_many(spare[:10]))
        enough = [gone for gone in ways if sum(p.resources[CPU] for p in gone) >= half]
        most = max(map(len, ways))
        return min(
            sum(pod_rps(self.world.service, pod) for pod in gone if pod.ready)
            for gone in enough or [way for way in ways if len(way) == most]
        )

    def _too_many(self, pods: Sequence[Pod]) -> Iterator[tuple[Pod, ...]]:
        """Sets of these without which as many of each target as are planned are there."""
        planned = {group.target: group.pods for group in self.plan.groups}
        for some in range(len(pods) + 1):
            for gone in itertools.combinations(pods, some):
                left = Counter(pod.target for pod in pods if pod not in gone)
                lost = {pod.target for pod in gone}
                if all(left[target] >= planned.get(target, 0) for target in lost):
                    yield gone

    def _is_patient(self) -> bool:
        """
        With what waits for its node since it does, or since the rollout last came further, and for
        two looks more: one that sees that patience has ended, and one by which the plan is another.
        """
        since_s = [_waits_since_s(pod) for pod in self.world.shown()]
        from_s = max([self.runner.state.milestone.at_s, *since_s])
        return self.world.now_s <= from_s + self.world.service.patience.start_s + 2.0

    def _names_a_rest(self) -> bool:
        progress = self.runner.looks[-1].progress if self.runner.looks else None
        return progress is not None and progress.rest is not None

    def _has_template_in_its_way(self) -> bool:
        return _standing(self.world, self.plan.groups).has_template_in_its_way()

    def _why(self, bound: Bound | None) -> str:
        last = self.runner.looks[-1]
        pods = [
            f"{pod.name} {pod.resources[CPU]}m" + (" ready" if pod.ready else "")
            for pod in self.world.seen().pods
        ]
        wanted = [f"{g.pods} × {g.target.variant} {g.resources[CPU]}m" for g in self.plan.groups]
        ready = all_ready(self.plan.groups, self.world.seen())
        return f"{bound}, planned {wanted}, there {pods}, {ready=}, last steps {last.steps}"


def _is_asked(pod: Pod, group: PodGroup) -> bool:
    return equal(pod.wanted.resources, group.allocation.resources)


def _is_level(pod: Pod, group: PodGroup) -> bool:
    same = equal(pod.resources, group.allocation.resources)
    return same and pod.size.batch_size == group.allocation.batch_size


def _as_it_is(pod: Pod) -> Pod:
    """A resize that its node has no room for is pending, as a pod is that finds none."""
    return replace(pod, wanted=pod.size) if pod.resize is Resize.DEFERRED else pod


def _waits_since_s(pod: Pod) -> float:
    """For its node; never, where it does not."""
    deferred_s = pod.resize_since_s if pod.resize is Resize.DEFERRED else None
    return max(-math.inf if s is None else s for s in (pod.unschedulable_since_s, deferred_s))


def _slowest_s(service: Service) -> float:
    return max(variant.load_time_s for variant in service.variants)
