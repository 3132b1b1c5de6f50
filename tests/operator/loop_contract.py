"""
What must hold between any two looks, whatever the loop does.

Capacity: until all planned pods are Ready, no less is served than was or than is asked for; once
they are, no less than that or than the plan serves. Where nothing planned has room without less, a
part may be given up, as where more than the budget is held for REPAID_AFTER_S, some of the plan has
yet to start and none of it starts, and must be back soon: with each planned pod that becomes Ready,
and with each new plan, anew; where pods are rolled, with each new one, and when that begins or
ends. What does not come is waited for as long as patience lasts; then there is another plan, or the
loop rests, and the rest has a name.
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
LINGER_S = 3.0  # a pod that was told to stop
REPAID_AFTER_S = 1.5  # surge that has been held for longer goes back before more is started
ROLL_S = 10.0  # a rolling change lets each new pod be Ready for this long
OBEYED_WITHIN_S = 15.0  # weights that were replaced before they were confirmed may be obeyed yet


@dataclass(slots=True, kw_only=True)
class Conceded:
    """Capacity that was given up to let something planned start or grow."""

    level_rps: float  # what was served
    since_s: float  # or since the last progress
    arrived: int  # planned pods that were Ready
    groups: Sequence[PodGroup]  # that were planned
    rolled: int | None = None  # new pods that were Ready of what rolled; None: nothing did


@dataclass(slots=True, kw_only=True)
class Contract:
    """`lag_s` is how long ago the looks may be that explain what is served now."""

    service: Service
    node: Size
    lag_s: float
    period_s: float  # to start, confirm and drain once, with a few looks
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
        What a platform takes by itself: an old pod, as soon as one that replaces it serves; one of
        each target, as rolls that have room beside each other go on together.
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
        What a lost pod had, another one may have been given by the platform alone, also when the
        lost one has gone; to take that back takes a few looks and a drain.
        """
        recent = [seen.observed.pods for seen in looks[-8:] if seen.observed]
        lost = {pod.name: pod.resources for some in (*recent, pods) for pod in some if pod.is_lost}
        may = total([self.service.budget, self.service.max_surge, *lost.values()])
        assert within(held(pods), may), f"{held(pods)} is held of {may}: {looks[-1].steps}"

    def _asked(self, recent: Sequence[Cycle]) -> float:
        """The least that any of these looks had to serve: the demand, or all of its plan."""
        return min(min(_demand_rps(seen), self._plan_rps(seen)) for seen in recent)

    def _plan_rps(self, seen: Cycle) -> float:
        """What the plan serves, once its pods are all Ready; until then that is no excuse."""
        groups = _groups(seen)
        if seen.observed is None or not all_ready(groups, seen.observed):
            return float("inf")
        theirs = [
            p for p in seen.observed.pods if p.target in seen.observed.untouchable and p.ready
        ]
        return plan_rps(self.service, groups) + sum(pod_rps(self.service, p) for p in theirs)

    def _may_concede(self, recent: Sequence[Cycle]) -> bool:
        """What is Ready may not be sent to yet, and must stay all the same."""
        return any(self._standing(seen, _demand_rps(seen)).has_no_path() for seen in recent)

    def _repays(self, looks: Sequence[Cycle], recent: Sequence[Cycle]) -> bool:
        """
        In any of these looks more than the budget had been held for long, and pods lacked of which
        none was on its way. A single look that sees no more than the budget ends no loan: what it
        begins takes up what has just been given back (decision 41).
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
        elif _comes_further(given.rolled, rolled := _rolled(seen)):
            given.rolled, given.since_s = rolled, now_s
        until_s = max(given.since_s, _waits_since_s(seen)) + self._patience_s(seen)
        assert now_s <= until_s or self.conceded is None, (
            f"at {now_s:.0f} s {after_rps:.1f} rps are served, {owed_rps:.1f} were given up for "
            f"something planned, and nothing planned has come since: {seen.steps}"
        )

    def _patience_s(self, seen: Cycle) -> float:
        """What does not come is waited for, and then a new plan is made without it."""
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
    What is started takes as long as the slowest variant. Weights are obeyed `confirm_s` after they
    were set, so for the demand of back then.
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
    """Pods of the plan lack, and none of them starts."""
    observed, groups = seen.observed or Observed(), _groups(seen)
    starts = any(
        not pod.ready and pod.trouble is None and not is_pending(pod)
        for group in groups
        for pod in living(observed, group.target)
        if len(living(observed, group.target)) <= group.pods  # else it may be one too many
    )
    return not (starts or all_ready(groups, observed))


def _waits_since_s(seen: Cycle) -> float:
    """Since when the latest pod is waited for of which nobody knows whether it comes."""
    pods = seen.observed.pods if seen.observed else ()
    stays = [pod for pod in pods if not pod.leaving and not pod.is_lost]
    new = (pod.created_at_s for pod in stays if not pod.ready)
    stuck = (pod.resize_since_s or -math.inf for pod in stays if pod.resize in STUCK)
    return max((*new, *stuck), default=-math.inf)


def _arrived(seen: Cycle) -> int:
    """Planned pods that are Ready."""
    observed = seen.observed or Observed()
    return sum(
        min(g.pods, sum(pod.ready for pod in living(observed, g.target))) for g in _groups(seen)
    )


def _rolled(seen: Cycle) -> int | None:
    """New pods that are Ready of what is being rolled; None: nothing is."""
    observed = seen.observed or Observed()
    if not observed.rolling:
        return None
    pods = (pod for target in observed.rolling for pod in living(observed, target))
    return sum(pod.ready and not pod.outdated for pod in pods)


def _comes_further(before: int | None, now: int | None) -> bool:
    if before is None or now is None:
        return before is not now
    return now > before


def _demand_rps(seen: Cycle) -> float:
    """In doubt, what the plan was made for."""
    if seen.load_rps is not None:
        return seen.load_rps
    return seen.decision.demand_rps if seen.decision else 0.0
