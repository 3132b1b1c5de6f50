"""
Prometheus metrics of the error budget: what is left, and the counters of the burn-rate alerts.
"""

from prometheus_client import CollectorRegistry, Counter, Gauge

from infadapter_operator.planning.caution import reserve_factor
from infadapter_operator.reconcile import Cycle

Key = tuple[str, str]
_SERVICE = ("namespace", "service")

SETTLED_S = 60.0
"""Seconds after an interval when its counts no longer change, and are added to the counters."""


class BudgetMetrics:
    """
    The metrics. While the budget is neutral the ratio is absent. Counters start at zero with the
    process.
    """

    def __init__(self, registry: CollectorRegistry) -> None:
        self._left = Gauge(
            "infadapter_slo_error_budget_ratio",
            "Remaining share of the window's error budget; below 0 it is overspent.",
            _SERVICE,
            registry=registry,
        )
        self._reserve = Gauge(
            "infadapter_slo_reserve_factor",
            "Factor on the reserve while the error budget burns.",
            _SERVICE,
            registry=registry,
        )
        self._allowed = Gauge(
            "infadapter_slo_allowed_miss_ratio",
            "The share of requests that may miss the SLO: 1 less its percentile.",
            _SERVICE,
            registry=registry,
        )
        self._answers = Counter(
            "infadapter_slo_answers_total",
            "Requests by outcome: in_time, late, refused or failed.",
            (*_SERVICE, "outcome"),
            registry=registry,
        )
        self._counted_s: dict[Key, float] = {}

    def record(self, key: Key, cycle: Cycle) -> None:
        budget = cycle.state.error_budget
        if budget.left is None:
            self._left.remove(*key)
        else:
            self._left.labels(*key).set(budget.left)
        self._reserve.labels(*key).set(reserve_factor(budget.pressure))
        self._allowed.labels(*key).set(1 - cycle.service.percentile / 100)
        self._count(key, cycle)

    def forget(self, namespace: str, service: str) -> None:
        labels = {"namespace": namespace, "service": service}
        for family in (self._left, self._reserve, self._allowed, self._answers):
            family.remove_by_labels(labels)
        self._counted_s.pop((namespace, service), None)

    def _count(self, key: Key, cycle: Cycle) -> None:
        """
        Count each interval once; intervals from before this process were counted by an earlier one.
        """
        answers = cycle.situation.answers if cycle.situation else None
        since_s = self._counted_s.setdefault(key, cycle.now_s - SETTLED_S)
        for interval in answers or ():
            if since_s < interval.at_s <= cycle.now_s - SETTLED_S:
                for outcome in ("in_time", "late", "refused", "failed"):
                    self._answers.labels(*key, outcome).inc(getattr(interval, outcome))
                self._counted_s[key] = interval.at_s
