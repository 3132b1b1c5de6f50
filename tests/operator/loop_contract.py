"""
What must hold between any two looks, whatever the loop does.

Capacity: until all planned pods are Ready, no less is served than was or than is asked for; once
they are, no less than that or than the plan serves. Where nothing planned has room without less, a
part may be given up, and must be back soon: with each planned pod that becomes Ready, anew.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field

from infadapter_operator.domain.observed import Observed, Pod
from infadapter_operator.domain.service import Service
from infadapter_operator.reconcile import Cycle
from infadapter_solver.problem import PodGroup
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
OBEYED_WITHIN_S = 15.0  # weights that were replaced before they were confirmed may be obeyed yet


@dataclass(slots=True, kw_only=True)
class Conceded:
    """Capacity that was given up to let something planned start or grow."""

    level_rps: float  # what was served
    until_s: float
    arrived: int  # planned pods that were Ready


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
        floor_rps = min(before_rps, self._asked(recent))
        if after_rps < floor_rps - 1e-6 and not self._may_concede(recent, before_rps):
            self._fail(looks[-1], now_s, before_rps, after_rps)
        if after_rps < floor_rps - 1e-6:
            self._concede(recent[-1], now_s, floor_rps)
        self._is_back(recent, now_s, after_rps)
        shares = looks[-1].shares
        whole = sum(shares.values())
        assert not shares or abs(whole - 1.0) < 1e-9, f"shares sum to {whole}"

    def check_held(self, pods: Sequence[Pod], looks: Sequence[Cycle]) -> None:
        """What a lost pod had, another one may have been given by the platform alone."""
        lost = [pod.resources for pod in pods if pod.is_lost]
        may = total([self.service.budget, self.service.max_surge, *lost])
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

    def _may_concede(self, recent: Sequence[Cycle], before_rps: float) -> bool:
        return any(
            self._standing(seen, min(before_rps, _demand_rps(seen))).has_no_path()
            for seen in recent
        )

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
        arrived = _arrived(seen)
        self.conceded_s.append(now_s)
        self.conceded = Conceded(
            level_rps=level_rps, until_s=now_s + self._patience_s(seen), arrived=arrived
        )

    def _is_back(self, recent: Sequence[Cycle], now_s: float, after_rps: float) -> None:
        given = self.conceded
        if given is None or not recent:
            return
        owed_rps = min(given.level_rps, plan_rps(self.service, _groups(recent[-1])))
        stays_short = self._standing(recent[-1], 0.0).has_template_in_its_way()
        if stays_short or after_rps >= min(owed_rps, self._asked(recent)) - 1e-6:
            self.conceded = None
        elif _arrived(recent[-1]) > given.arrived:
            given.arrived = _arrived(recent[-1])
            given.until_s = now_s + self._patience_s(recent[-1])
        assert now_s <= given.until_s or self.conceded is None, (
            f"at {now_s:.0f} s {after_rps:.1f} rps are served, {owed_rps:.1f} were given up for "
            f"something planned, and nothing planned has come since: {recent[-1].steps}"
        )

    def _patience_s(self, seen: Cycle) -> float:
        """What waits for a node is waited for."""
        waits = seen.observed is not None and any(map(is_pending, seen.observed.pods))
        return self.period_s + (self.service.patience.start_s if waits else 0.0)

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


def _arrived(seen: Cycle) -> int:
    """Planned pods that are Ready."""
    observed = seen.observed or Observed()
    return sum(
        min(g.pods, sum(pod.ready for pod in living(observed, g.target))) for g in _groups(seen)
    )


def _demand_rps(seen: Cycle) -> float:
    """In doubt, what the plan was made for."""
    if seen.load_rps is not None:
        return seen.load_rps
    return seen.decision.demand_rps if seen.decision else 0.0
