"""
Prometheus metrics of values that change in every cycle. Names and labels are a contract with
dashboard and alerts. A metric that has no value now is absent, not zero.
"""

from collections.abc import Iterable, Mapping
from importlib.metadata import version

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram

from infadapter_operator.domain.service import Mode
from infadapter_operator.reconcile import Cycle
from infadapter_operator.reporting.budget_metrics import BudgetMetrics
from infadapter_operator.reporting.condition import Condition, Status
from infadapter_operator.reporting.metric_values import service_values, target_values
from infadapter_operator.reporting.rollout_metrics import RolloutMetrics
from infadapter_solver.problem import Target

_SERVICE = ("namespace", "service")
_TARGET = (*_SERVICE, "variant", "kind")
_CONDITION = {Status.TRUE: 1, Status.FALSE: 0, Status.UNKNOWN: -1}

_OF_SERVICE: Mapping[str, str] = {
    "demand_rps": "The rate of requests now.",
    "forecast_rps": "The quantile of the rate within the planning horizon.",
    "planning_demand_rps": "The rate that is planned for.",
    "planned_capacity_rps": "Capacity of the plan within the SLO.",
    "ready_capacity_rps": "Capacity of the Ready pods within the SLO.",
    "planned_accuracy_ratio": "Expected accuracy of the plan, weighted by requests.",
    "served_accuracy_ratio": "Mean accuracy of the answers of the last interval.",
    "plan_cost": "Cost of the plan, at the prices.",
    "plan_objective": "The plan's objective; absent when the budget can't serve the demand.",
    "last_look_timestamp_seconds": "When the loop last ran a cycle.",
    "last_plan_timestamp_seconds": "When the loop last planned.",
    "last_data_timestamp_seconds": "When the loop last had fresh data.",
    "interval_seconds": "Seconds between two plans.",
}
_OF_TARGET: Mapping[str, str] = {
    "planned_pods": "Pods that the plan wants.",
    "ready_pods": "Pods that are Ready.",
    "planned_cpu_cores": "Cores that the plan wants.",
    "allocated_cpu_cores": "Cores held by pods, the larger of wanted and in force.",
    "share_ratio": "Share of the traffic that the router sends there.",
    "learnt_capacity_ratio": "Capacity that pods deliver, as a ratio to their profile.",
    "variant_available": "0 while its pods cannot be started and are not retried yet; 1 otherwise.",
}
_COUNTED: Mapping[str, tuple[str, str]] = {
    "errors_total": ("Cycles without data or platform, and refused steps.", "reason"),
    "steps_total": ("Steps taken.", "step"),
    "plans_total": ("Plans made.", "source"),
}
_TIMED: Mapping[str, tuple[str, tuple[float, ...]]] = {
    "look_duration_seconds": (
        "Duration of a cycle.",
        (0.01, 0.03, 0.1, 0.3, 1.0, 3.0, 10.0),
    ),
    "solve_duration_seconds": (
        "Duration of a decision, its reasons included.",
        (0.0003, 0.001, 0.003, 0.01, 0.03, 0.1, 0.3, 1.0, 3.0),
    ),
}


class Metrics:
    """All metrics of one operator, in the registry given."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self._gauges = _gauges(_OF_SERVICE, _SERVICE, registry)
        self._by_target = _gauges(_OF_TARGET, _TARGET, registry)
        self._condition = Gauge(
            "infadapter_condition",
            "1 True, 0 False, -1 Unknown.",
            (*_SERVICE, "type"),
            registry=registry,
        )
        self._mode = Gauge(
            "infadapter_mode",
            "1 for the mode that the service is in, 0 for the others.",
            (*_SERVICE, "mode"),
            registry=registry,
        )
        self._errors, self._steps, self._plans = (
            Counter(f"infadapter_{name}", text, (*_SERVICE, label), registry=registry)
            for name, (text, label) in _COUNTED.items()
        )
        self._cycle_s, self._solve_s = (
            Histogram(f"infadapter_{name}", text, _SERVICE, buckets=buckets, registry=registry)
            for name, (text, buckets) in _TIMED.items()
        )
        build = Gauge("infadapter_build_info", "Always 1.", ("version",), registry=registry)
        build.labels(version("infadapter")).set(1)
        self._rollout = RolloutMetrics(registry)
        self._budget = BudgetMetrics(registry)
        self._targets: dict[tuple[str, str], set[Target]] = {}

    def record(
        self, cycle: Cycle, conditions: Iterable[Condition], duration_s: float | None = None
    ) -> None:
        """What a cycle found out and did; `duration_s` is measured by who awaited it."""
        key = (cycle.service.namespace, cycle.service.name)
        for name, value in service_values(cycle).items():
            _set(self._gauges[name], key, value)
        self._record_targets(key, cycle)
        self._record_conditions(key, conditions)
        for mode in Mode:
            self._mode.labels(*key, mode.value).set(mode is cycle.service.mode)
        self._rollout.record(key, cycle)
        self._budget.record(key, cycle)
        for reason in (
            *filter(None, [cycle.failure and cycle.failure.reason]),
            *(r.reason for r in cycle.refusals),
        ):
            self._errors.labels(*key, reason).inc()
        for step in cycle.steps:
            self._steps.labels(*key, type(step).__name__).inc()
        if cycle.is_solved and cycle.decision:
            self._plans.labels(*key, cycle.decision.source.value).inc()
        if cycle.solve_s is not None:
            self._solve_s.labels(*key).observe(cycle.solve_s)
        if duration_s is not None:
            self._cycle_s.labels(*key).observe(duration_s)

    def record_problem(
        self, namespace: str, service: str, conditions: Iterable[Condition], now_s: float
    ) -> None:
        """Of a service that can't be looked at: its loop goes on, and what it says is told."""
        self._record_conditions((namespace, service), conditions)
        self._gauges["last_look_timestamp_seconds"].labels(namespace, service).set(now_s)

    def count_error(self, namespace: str, service: str, reason: str) -> None:
        """One that kept a cycle from taking place, such as a profile that is missing."""
        self._errors.labels(namespace, service, reason).inc()

    def forget(self, namespace: str, service: str) -> None:
        """A deleted service leaves no series behind."""
        labels = {"namespace": namespace, "service": service}
        families = (*self._gauges.values(), *self._by_target.values(), self._condition, self._mode)
        counters = (self._errors, self._steps, self._plans, self._cycle_s, self._solve_s)
        for family in (*families, *counters):
            family.remove_by_labels(labels)
        self._rollout.forget(namespace, service)
        self._budget.forget(namespace, service)
        self._targets.pop((namespace, service), None)

    def _record_conditions(self, key: tuple[str, str], conditions: Iterable[Condition]) -> None:
        for condition in conditions:
            self._condition.labels(*key, condition.type).set(_CONDITION[condition.status])

    def _record_targets(self, key: tuple[str, str], cycle: Cycle) -> None:
        if cycle.decision is None or cycle.observed is None:
            return
        values = target_values(cycle, cycle.decision.plan)
        for target in self._targets.get(key, set()) - set(values):
            for gauge in self._by_target.values():
                gauge.remove(*key, *target)
        for target, numbers in values.items():
            for name, number in numbers.items():
                _set(self._by_target[name], (*key, *target), number)
        self._targets[key] = set(values)


def _gauges(
    texts: Mapping[str, str], labels: tuple[str, ...], registry: CollectorRegistry
) -> dict[str, Gauge]:
    return {
        name: Gauge(f"infadapter_{name}", text, labels, registry=registry)
        for name, text in texts.items()
    }


def _set(gauge: Gauge, key: tuple[str, ...], value: float | None) -> None:
    if value is None:
        gauge.remove(*key)
    else:
        gauge.labels(*key).set(value)
