"""
Whether and how soon a rollout ends: at its plan, or at a rest that has a name.

The time bound is computed from the initial state. An exchange is a planned pod that has yet to be
started, resized or replaced. The number of exchanges at the same time is a low estimate: one if the
plan has no spare capacity, otherwise as many as half of the surge holds, and one in a roll,
whatever the surge.
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

SPARE = 1.1  # times the demand: a plan with less capacity can spare none of it
QUIET_LOOKS = 10
RETRY_LOOKS = 4  # of these, the most with steps: one retry of a blocked target
REST_S = 60.0


Left = tuple[Target, Cause, int | None]
"""A target excluded from planning, the cause, and the largest size that may find a node."""


@dataclass(slots=True)
class Record:
    """Statistics of all cases."""

    cases: int = 0
    reached: int = 0
    longest_s: float = 0.0
    its_bound_s: float = 0.0
    nearest: float = 0.0  # the largest ratio of a duration to its bound
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
    rolled: int = 0  # exchanges of rolls, which the platform makes one by one

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
        exchanges += sum(rolls or not _is_requested_as_planned(pod, group) for pod in there)
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
    """
    Return how long weights take to be confirmed. A cycle before their confirmation may replace
    them; then they may come into force late.
    """
    confirm_s = world.scenario.weights_lag_s
    late_s = OBEYED_WITHIN_S if confirm_s > every_s else 0.0
    return confirm_s + late_s


def is_reached(plan: Plan, observed: Observed) -> bool:
    """
    Whether the planned pods are Ready at their sizes and no others exist, except lost ones. False
    while a target rolls: the platform still removes an old pod once its successor has been Ready
    for a while.
    """
    if observed.rolling:
        return False
    wanted = {group.target: group for group in plan.groups}
    counts = {target: group.pods for target, group in wanted.items()}
    for pod in observed.pods:
        if pod.is_lost:
            continue
        group = wanted.get(pod.target)
        if group is None or not pod.ready or not _has_planned_size(pod, group):
            return False
        counts[pod.target] -= 1
    return not any(counts.values())


class Rollout:
    """One case, with a reconcile cycle every second."""

    def __init__(self, case: Case, record: Record = RECORD) -> None:
        self.case, self.record = case, record
        self.world = world_of(case)
        self.runner = Runner(world=self.world, every_s=1.0)
        self.least_carried_rps = self.world.carried_rps()
        self.idle_looks = 0
        self._known_looks, self._known_blocked = 0, self._never_ready()
        self._known_exclusions: frozenset[Left] = frozenset()

    async def pass_a_look(self) -> None:
        await self.runner.run(1.0)
        self.least_carried_rps = min(self.least_carried_rps, self.world.carried_rps())
        self.idle_looks = self.idle_looks + 1 if self._is_idle_beyond_the_budget() else 0
        longest_s = _confirm_s(self.world, 1.0) + OBEYED_WITHIN_S
        assert self.idle_looks <= longest_s + 5, f"more than the budget, idly: {self._state(None)}"

    def _is_idle_beyond_the_budget(self) -> bool:
        """Whether more than the budget is held although no pod starts, resizes or terminates."""
        observed = self.world.seen()
        ours = [_without_deferred_resize(pod) for pod in observed.pods if not is_pending(pod)]
        beyond = not within(held(ours), self.world.service.budget)
        return beyond and not is_moving(observed) and not self._has_template_in_its_way()

    @property
    def plan(self) -> Plan:
        decision = self.runner.state.decision
        assert decision is not None
        return decision.plan

    async def begin(self) -> None:
        """Put each plan but the last in force for one cycle, then the last one."""
        self.record.cases += 1
        *passing, last = decisions_of(self.case)
        for decision in passing:
            self.runner.state = replace(self.runner.state, decision=decision)
            await self.runner.run(1.0)
        self.runner.state = replace(self.runner.state, decision=last)
        self.first = last.plan

    async def reaches(self) -> None:
        """Assert that the plan is reached within the bound, and that no step follows."""
        await self.begin()
        bound = bound_of(self.world, self.plan, self.case.demand_rps, 1.0)
        late_s = OBEYED_WITHIN_S if len(self.case.plans) > 1 else 0.0
        limit_s = max(bound.seconds, bound.once_s) + late_s
        began_s, rolls, left, before = self.world.now_s, False, 0, self.first
        while not is_reached(self.plan, self.world.seen()):
            took_s = self.world.now_s - began_s
            if not rolls and (self.world.seen().rolling or self._has_template_in_its_way()):
                limit_s, rolls = limit_s + ROLL_S * (bound.exchanges + 1), True
            known = len(self._exclusions())
            if self.plan != before and left < known:
                limit_s = max(limit_s, took_s + self._replanned_s(rolls))
                left, before = known, self.plan
            hindered = self._has_template_in_its_way() or self._waits_for_the_node()
            rests_s = max(limit_s, REST_S) + bound.once_s
            if hindered and took_s > rests_s and not self._is_patient_yet(took_s - rests_s, bound):
                return self._rests()
            assert hindered or took_s <= limit_s, (
                f"not reached after {took_s:.0f} s: {self._state(bound)}"
            )
            await self.pass_a_look()
        self.record.note(self.case, self.world.now_s - began_s, limit_s)
        await self.runner.run(self.case.confirm_s + 3.0)
        await self._is_quiet(tries=False)

    def _is_patient_yet(self, late_s: float, bound: Bound) -> bool:
        """Whether patience, which each exchange renews, still lasts: then this is no rest yet."""
        most_s = bound.exchanges * (bound.once_s + self.world.service.patience.start_s)
        return late_s <= most_s and self._is_patient()

    def _replanned_s(self, rolls: bool) -> float:
        """
        Return the time bound of a new plan without the pods that did not become Ready, from now on:
        the time for its own exchanges and, in a roll, ROLL_S for each new pod. There is at most one
        such plan for each target, cause and size: nothing fails here except for lack of room, and
        then smaller sizes are planned.
        """
        again = bound_of(self.world, self.plan, self.case.demand_rps, 1.0)
        rolls_s = ROLL_S * (again.exchanges + 1) if rolls else 0.0
        return again.seconds + again.once_s + rolls_s

    def _exclusions(self) -> frozenset[Left]:
        """Return all exclusions from planning so far. Only lack of room may have caused them."""
        self._known_exclusions |= {
            (target, block.cause, block.fitting_millicores)
            for seen in self.runner.looks[-1:]
            for target, block in seen.blocks.items()
        }
        strange = {cause for _, cause, _ in self._known_exclusions} - {Cause.NO_NODE, Cause.RESIZE}
        assert not strange, f"left although nothing fails: {strange}"
        return self._known_exclusions

    async def rests(self) -> None:
        """Assert that it ends at the plan or, once patience has ended, at a named rest."""
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
        Run past an eviction that is due soon. The platform evicts pods of a lost node and starts
        others in their place; removing these takes steps, which do not contradict the rest.
        """
        lost = (pod.unready_since_s for pod in self.world.seen().pods if pod.is_lost)
        evicted_s = max((s + EVICTED_S for s in lost if s is not None), default=-math.inf)
        soon_s = evicted_s - self.world.now_s
        if 0.0 <= soon_s <= QUIET_LOOKS:
            await self.runner.run(soon_s + settles_s)

    def _rests_already(self) -> bool:
        """
        Whether the last cycles were at a named rest without steps. False if pods never become
        Ready, since a new plan must follow then.
        """
        window = self.runner.looks[-QUIET_LOOKS:]
        named = all(seen.progress and seen.progress.rest and not seen.steps for seen in window)
        return named and len(window) == QUIET_LOOKS and not self.case.never

    def _blocked(self) -> frozenset[Target]:
        """
        Return the targets that never become Ready or were blocked in any cycle so far. Each cycle
        is read once, because this is called in every cycle.
        """
        new = self.runner.looks[self._known_looks :]
        self._known_looks = len(self.runner.looks)
        self._known_blocked |= {target for seen in new for target in seen.blocks}
        return self._known_blocked

    def _never_ready(self) -> frozenset[Target]:
        return frozenset(Target(name_of(kind)) for kind in self.case.never)

    async def _is_quiet(self, *, tries: bool) -> None:
        """
        Assert that no steps are taken. `tries`: except for retries of blocked targets, whose pod is
        started, may get weights, and is removed.
        """
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
        """Assert a named rest within the budget, apart from a retry of a blocked target."""
        observed = self.world.seen()
        window = self.runner.looks[-QUIET_LOOKS:]
        rests = {p.rest for seen in window if (p := seen.progress) and p.rest}
        named = rests or self._is_retried() or is_reached(self.plan, observed)
        assert named, f"no rest is named: {self._state(None)}"
        for rest in rests:
            self.record.rests[rest] = self.record.rests.get(rest, 0) + 1
        tried = [pod for pod in observed.pods if not pod.ready and pod.target in self._blocked()]
        placed = [pod for pod in observed.pods if not is_pending(pod) and pod not in tried]
        ours = [_without_deferred_resize(pod) for pod in placed]
        assert within(held(ours), self.world.service.budget), f"beyond the budget: {held(ours)}"

    def _is_retried(self) -> bool:
        """Whether a blocked target has a pod that is not Ready or whose resize is pending."""
        return any(
            pod.target in self.runner.looks[-1].blocks
            and (not pod.ready or pod.resize is not Resize.NONE)
            for pod in self.world.seen().pods
        )

    def _plans_without_what_is_blocked(self) -> None:
        """
        Assert that of a target that never becomes Ready no more pods are planned than are Ready,
        apart from one that is retried. Targets that were not requested for lack of room are
        skipped, since their failure is unknown. Other variants that suffice must serve the demand.
        """
        observed = self.world.seen()
        known = {
            target
            for seen in self.runner.looks
            for target, block in seen.blocks.items()
            if block.cause is not Cause.RESIZE
        }
        for group in self.plan.groups:
            if group.target in self._never_ready() & known:
                ready = sum(pod.ready for pod in living(observed, group.target))
                assert group.pods <= ready + 1, f"still planned: {group}"
        if self._others_suffice() and self.plan is not self.first:
            assert self.world.ready_rps() >= self.case.demand_rps, "others could serve the demand"

    def _others_suffice(self) -> bool:
        """Whether a variant whose starts do not fail could serve alone, with no other fault."""
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
        Whether pods may wait for room on the node, so that nothing is given up for them. They may
        if the running pods serve the demand, or as much as the plan would (nothing could be gained
        then), or if room costs more than half of the Ready capacity. They are excluded from
        planning when patience ends (decision 12). Nothing is given up for a deferred resize: its
        pod is replaced instead. After patience has ended, only a named rest allows waiting.
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
        Return the least capacity of surplus pods that together hold half of what this pod requests:
        the platform does not say how much its node lacks. If all of them hold less, they all count.
        """
        half = -(-waits.wanted.cpu_millicores // 2)
        spare = [pod for pod in observed.pods if not (pod.leaving or is_pending(pod))]
        ways = list(self._surplus_sets(spare[:10]))
        enough = [gone for gone in ways if sum(p.resources[CPU] for p in gone) >= half]
        most = max(map(len, ways))
        return min(
            sum(pod_rps(self.world.service, pod) for pod in gone if pod.ready)
            for gone in enough or [way for way in ways if len(way) == most]
        )

    def _surplus_sets(self, pods: Sequence[Pod]) -> Iterator[tuple[Pod, ...]]:
        """Yield the sets of these pods whose removal leaves each target its planned number."""
        planned = {group.target: group.pods for group in self.plan.groups}
        for some in range(len(pods) + 1):
            for gone in itertools.combinations(pods, some):
                left = Counter(pod.target for pod in pods if pod not in gone)
                lost = {pod.target for pod in gone}
                if all(left[target] >= planned.get(target, 0) for target in lost):
                    yield gone

    def _is_patient(self) -> bool:
        """
        Whether patience with pods that wait for a node has not ended. It counts from the last such
        wait or the last progress. Two cycles are added: one that observes its end, and one in which
        the plan changes.
        """
        since_s = [_waits_since_s(pod) for pod in self.world.shown()]
        from_s = max([self.runner.state.milestone.at_s, *since_s])
        return self.world.now_s <= from_s + self.world.service.patience.start_s + 2.0

    def _names_a_rest(self) -> bool:
        progress = self.runner.looks[-1].progress if self.runner.looks else None
        return progress is not None and progress.rest is not None

    def _has_template_in_its_way(self) -> bool:
        return _standing(self.world, self.plan.groups).has_template_in_its_way()

    def _state(self, bound: Bound | None) -> str:
        last = self.runner.looks[-1]
        pods = [
            f"{pod.name} {pod.resources[CPU]}m" + (" ready" if pod.ready else "")
            for pod in self.world.seen().pods
        ]
        wanted = [f"{g.pods} × {g.target.variant} {g.resources[CPU]}m" for g in self.plan.groups]
        ready = all_ready(self.plan.groups, self.world.seen())
        return f"{bound}, planned {wanted}, there {pods}, {ready=}, last steps {last.steps}"


def _is_requested_as_planned(pod: Pod, group: PodGroup) -> bool:
    return equal(pod.wanted.resources, group.allocation.resources)


def _has_planned_size(pod: Pod, group: PodGroup) -> bool:
    same = equal(pod.resources, group.allocation.resources)
    return same and pod.size.batch_size == group.allocation.batch_size


def _without_deferred_resize(pod: Pod) -> Pod:
    """Return the pod without a deferred resize, which holds nothing yet."""
    return replace(pod, wanted=pod.size) if pod.resize is Resize.DEFERRED else pod


def _waits_since_s(pod: Pod) -> float:
    """Return since when the pod waits for room on a node; -inf if it does not."""
    deferred_s = pod.resize_since_s if pod.resize is Resize.DEFERRED else None
    return max(-math.inf if s is None else s for s in (pod.unschedulable_since_s, deferred_s))


def _slowest_s(service: Service) -> float:
    return max(variant.load_time_s for variant in service.variants)
