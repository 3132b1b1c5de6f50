"""
The contract of the loop: what must hold between any two reconcile cycles.

Capacity: until all planned pods are Ready, the serving capacity is at least the smaller of its
previous value and the demand; afterwards at least the smallest of these and the plan's capacity. A
part may be given up in two cases: no missing planned pod has room otherwise, or more than the
budget has been held for REPAID_AFTER_S while planned pods are missing and none starts. It must be
back within a deadline, which starts anew with each planned pod that becomes Ready and with each new
plan; in a roll with each new pod, and when the roll begins or ends. Pods that may never become
Ready are waited for until their patience ends; then there is another plan, or the loop is at a rest
that has a name.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass, field

from infadapter_operator.domain.observed import STUCK, Observed, Pod
from infadapter_operator.domain.service import Service
from infadapter_operator.reconcile import Cycle
from infadapter_solver.problem import PodGroup, Target
from tests.operator.loop_arithmetic import (
    Size,
    Standing,
    all_ready,
    held,
    is_pending,
    living,
    plan_rps,
    pod_rps,
    total,
    within,
)

RESIZE_S = 1.0
LINGER_S = 3.0  # time that a pod takes to terminate
REPAID_AFTER_S = 1.5  # surge held for longer is returned before more starts
ROLL_S = 10.0  # a rolling update waits until a new pod has been Ready for this long
OBEYED_WITHIN_S = 15.0  # replaced weights may come into force until then


@dataclass(slots=True, kw_only=True)
class Conceded:
    """Capacity given up so that planned pods can start or grow."""

    level_rps: float  # the capacity to be restored
    since_s: float  # when it was given up, or of the last progress
    arrived: int  # planned pods that were Ready then
    groups: Sequence[PodGroup]  # of the plan then
    rolled: int | None = None  # Ready new pods of targets that rolled; None: none rolled


@dataclass(slots=True, kw_only=True)
class Contract:
    """`lag_s`: the age of the oldest reconcile cycle that may explain the current capacity."""

    service: Service
    node: Size
    lag_s: float
    period_s: float  # of one start, confirmation and drain, and a few cycles
    conceded: Conceded | None = None
    conceded_s: list[float] = field(default_factory=list)

    def check(
        self, looks: Sequence[Cycle], now_s: float, before_rps: float, after_rps: float
    ) -> None:
        recent = [seen for seen in looks[-12:] if seen.now_s >= now_s - self.lag_s]
        floor_rps = min(before_rps - self._rolled_rps(recent), self._asked(recent))
        if after_rps < floor_rps - 1e-6:
            if not (self._may_concede(recent) or self._repays(looks, recent)):
                self._fail(looks[-1], now_s, before_rps, after_rps)
            self._concede(recent[-1], now_s, floor_rps)
        self._is_back(recent, now_s, after_rps)
        shares = looks[-1].shares
        whole = sum(shares.values())
        assert not shares or abs(whole - 1.0) < 1e-9, f"shares sum to {whole}"

    def _rolled_rps(self, recent: Sequence[Cycle]) -> float:
        """
        Return the capacity that rolling updates remove without a step: an old pod is removed as
        soon as its successor serves. The largest of each target counts, as rolls may overlap.
        """
        most: dict[Target, float] = {}
        for observed in (seen.observed for seen in recent if seen.observed):
            for pod in observed.pods:
                if pod.ready and pod.outdated and pod.target in observed.rolling:
                    rps = pod_rps(self.service, pod)
                    most[pod.target] = max(most.get(pod.target, 0.0), rps)
        return sum(most.values())

    def check_held(self, pods: Sequence[Pod], looks: Sequence[Cycle]) -> None:
        """
        Assert that pods hold no more than budget, surge and the resources of recently lost pods.
        The platform itself may have replaced these, and removing the surplus takes a few cycles and
        a drain.
        """
        recent = [seen.observed.pods for seen in looks[-8:] if seen.observed]
        lost = {pod.name: pod.resources for some in (*recent, pods) for pod in some if pod.is_lost}
        may = total([self.service.budget, self.service.max_surge, *lost.values()])
        assert within(held(pods), may), f"{held(pods)} is held of {may}: {looks[-1].steps}"

    def _asked(self, recent: Sequence[Cycle]) -> float:
        """Return the least that one of these cycles had to serve: demand or plan's capacity."""
        return min(min(_demand_rps(seen), self._plan_rps(seen)) for seen in recent)

    def _plan_rps(self, seen: Cycle) -> float:
        """
        Return the plan's capacity once all its pods are Ready, with pods of other controllers.
        Infinity until then: a small plan does not excuse serving less than the demand yet.
        """
        groups = _groups(seen)
        if seen.observed is None or not all_ready(groups, seen.observed):
            return float("inf")
        theirs = [
            p for p in seen.observed.pods if p.target in seen.observed.untouchable and p.ready
        ]
        return plan_rps(self.service, groups) + sum(pod_rps(self.service, p) for p in theirs)

    def _may_concede(self, recent: Sequence[Cycle]) -> bool:
        """
        Whether in one of these cycles the plan could proceed only by serving less. Ready pods count
        even if the router does not send to them yet.
        """
        return any(self._standing(seen, _demand_rps(seen)).has_no_path() for seen in recent)

    def _repays(self, looks: Sequence[Cycle], recent: Sequence[Cycle]) -> bool:
        """
        Whether in one of these cycles surge had been held for longer than REPAID_AFTER_S while
        planned pods were missing and none of them started. A single cycle within the budget ends no
        loan: the starts that it begins use the surge just returned (decision 41).
        """
        since_s, was_over = math.inf, False
        for seen in looks[-60:]:
            is_over = self._is_over(seen)
            if is_over:
                since_s = min(since_s, seen.now_s)
            elif not was_over:
                since_s = math.inf
            was_over = is_over
            long = is_over and seen.now_s - since_s > REPAID_AFTER_S
            if long and _waits_to_start(seen) and any(seen is one for one in recent):
                return True
        return False

    def _is_over(self, seen: Cycle) -> bool:
        pods = seen.observed.pods if seen.observed else ()
        return not within(held(pods), self.service.budget)

    def _standing(self, seen: Cycle, floor_rps: float) -> Standing:
        return Standing(
            service=self.service,
            groups=_groups(seen),
            observed=seen.observed or Observed(),
            node=self.node,
            floor_rps=floor_rps,
        )

    def _concede(self, seen: Cycle, now_s: float, floor_rps: float) -> None:
        level_rps = min(floor_rps, self.conceded.level_rps) if self.conceded else floor_rps
        self.conceded_s.append(now_s)
        self.conceded = Conceded(
            level_rps=level_rps, since_s=now_s, arrived=_arrived(seen), groups=_groups(seen)
        )

    def _is_back(self, recent: Sequence[Cycle], now_s: float, after_rps: float) -> None:
        given = self.conceded
        if given is None or not recent:
            return
        seen = recent[-1]
        owed_rps = min(given.level_rps, plan_rps(self.service, _groups(seen)))
        stays_short = self._standing(seen, 0.0).has_template_in_its_way()
        rests = seen.progress is not None and seen.progress.rest is not None
        if rests or stays_short or after_rps >= min(owed_rps, self._asked(recent)) - 1e-6:
            self.conceded = None
        elif _arrived(seen) > given.arrived or _groups(seen) != given.groups:
            given.arrived, given.groups, given.since_s = _arrived(seen), _groups(seen), now_s
        elif _has_progressed(given.rolled, rolled := _rolled(seen)):
            given.rolled, given.since_s = rolled, now_s
        until_s = max(given.since_s, _waits_since_s(seen)) + self._patience_s(seen)
        assert now_s <= until_s or self.conceded is None, (
            f"at {now_s:.0f} s {after_rps:.1f} rps are served, {owed_rps:.1f} were given up for "
            f"something planned, and nothing planned has come since: {seen.steps}"
        )

    def _patience_s(self, seen: Cycle) -> float:
        """
        Return how long capacity may be missing without progress. Pods that do not become Ready are
        waited for until their patience ends, and a new plan is made without them.
        """
        waits = _waits_since_s(seen) > -math.inf
        rolls_s = 0.0 if _rolled(seen) is None else ROLL_S
        return self.period_s + rolls_s + (self._most_patience_s() if waits else 0.0)

    def _most_patience_s(self) -> float:
        slowest_s = max(variant.load_time_s for variant in self.service.variants)
        patience = self.service.patience
        return max(patience.start_s, patience.ready_within_s(slowest_s))

    def _fail(self, seen: Cycle, now_s: float, before_rps: float, after_rps: float) -> None:
        raise AssertionError(
            f"at {now_s:.0f} s {after_rps:.1f} rps are served, before {before_rps:.1f}, "
            f"asked {_demand_rps(seen)}: {seen.steps}"
        )


def contract_for(service: Service, node: Size, confirm_s: float, every_s: float) -> Contract:
    """
    Return the contract for these delays. A start may take as long as the slowest variant's. Weights
    come into force `confirm_s` after they were set, so they fit the demand of that time.
    """
    slowest_s = max(variant.load_time_s for variant in service.variants)
    late_s = OBEYED_WITHIN_S if confirm_s > every_s else 0.0
    return Contract(
        service=service,
        node=node,
        lag_s=confirm_s + every_s + 1.0,
        period_s=slowest_s + confirm_s + late_s + LINGER_S + RESIZE_S + 5 * every_s,
    )


def _groups(seen: Cycle) -> Sequence[PodGroup]:
    return seen.decision.plan.groups if seen.decision else ()


def _waits_to_start(seen: Cycle) -> bool:
    """Whether planned pods are missing and none of them is starting."""
    observed, groups = seen.observed or Observed(), _groups(seen)
    starts = any(
        not pod.ready and pod.trouble is None and not is_pending(pod)
        for group in groups
        for pod in living(observed, group.target)
        if len(living(observed, group.target)) <= group.pods  # otherwise it may be a surplus pod
    )
    return not (starts or all_ready(groups, observed))


def _waits_since_s(seen: Cycle) -> float:
    """Return since when the latest pod is waited for that may never be Ready or reach its size."""
    pods = seen.observed.pods if seen.observed else ()
    stays = [pod for pod in pods if not pod.leaving and not pod.is_lost]
    new = (pod.created_at_s for pod in stays if not pod.ready)
    stuck = (pod.resize_since_s or -math.inf for pod in stays if pod.resize in STUCK)
    return max((*new, *stuck), default=-math.inf)


def _arrived(seen: Cycle) -> int:
    """Return the number of planned pods that are Ready."""
    observed = seen.observed or Observed()
    return sum(
        min(g.pods, sum(pod.ready for pod in living(observed, g.target))) for g in _groups(seen)
    )


def _rolled(seen: Cycle) -> int | None:
    """Return the number of Ready new pods of rolling targets, None if no target rolls."""
    observed = seen.observed or Observed()
    if not observed.rolling:
        return None
    pods = (pod for target in observed.rolling for pod in living(observed, target))
    return sum(pod.ready and not pod.outdated for pod in pods)


def _has_progressed(before: int | None, now: int | None) -> bool:
    if before is None or now is None:
        return before is not now
    return now > before


def _demand_rps(seen: Cycle) -> float:
    """Return the measured load, or if unknown the demand that the plan was made for."""
    if seen.load_rps is not None:
        return seen.load_rps
    return seen.decision.demand_rps if seen.decision else 0.0
