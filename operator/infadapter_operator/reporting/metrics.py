"""
What changes every tick, for Prometheus. Names and labels are a contract with the dashboard and the
alerts; what has no value now is absent, never zero.
"""

from collections.abc import Iterable, Mapping

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram

from infadapter_operator.domain.service import Service
from infadapter_operator.reconcile import Cycle
from infadapter_operator.reporting.budget_metrics import BudgetMetrics
from infadapter_operator.reporting.condition import Condition, Status
from infadapter_operator.reporting.rollout_metrics import RolloutMetrics
from infadapter_operator.reporting.sentences import unavailable
from infadapter_operator.rollout.match import held_by
from infadapter_solver.problem import CPU, Plan, Target

_SERVICE = ("namespace", "service")
_TARGET = (*_SERVICE, "variant", "kind")
_CONDITION = {Status.TRUE: 1, Status.FALSE: 0, Status.UNKNOWN: -1}
_LOOK_BUCKETS = (0.01, 0.03, 0.1, 0.3, 1.0, 3.0, 10.0)
_SOLVE_BUCKETS = (0.0003, 0.001, 0.003, 0.01, 0.03, 0.1, 0.3, 1.0, 3.0)

_OF_SERVICE: Mapping[str, str] = {
    "demand_rps": "The rate of requests now.",
    "forecast_rps": "The quantile of the rate within the planning horizon.",
    "planning_demand_rps": "The rate that is planned for.",
    "planned_capacity_rps": "What the plan serves within the SLO.",
    "ready_capacity_rps": "What the Ready pods serve within the SLO.",
    "planned_accuracy_ratio": "Expected accuracy of the plan, weighted by requests.",
    "served_accuracy_ratio": "Accuracy of what was answered in the last interval.",
    "plan_cost": "What the plan costs, at the prices.",
    "plan_objective": "The plan's objective; absent when the budget can't serve the demand.",
    "last_look_timestamp_seconds": "When the loop last looked.",
    "last_plan_timestamp_seconds": "When the loop last planned.",
    "last_data_timestamp_seconds": "When the loop last had fresh data.",
    "interval_seconds": "How often the loop plans.",
}
_OF_TARGET: Mapping[str, str] = {
    "planned_pods": "Pods that the plan wants.",
    "ready_pods": "Pods that are Ready.",
    "planned_cpu_cores": "Cores that the plan wants.",
    "allocated_cpu_cores": "Cores held by pods, the larger of wanted and in force.",
    "share_ratio": "Part of the traffic that the router sends there.",
    "learnt_capacity_ratio": "What pods of this target deliver, as a ratio to their profile.",
    "variant_available": "0: its pods did not come and are left for a while; 1 otherwise.",
}


class Metrics:
    """All metrics of one operator, in the registry given."""

    def __init__(self, registry: CollectorRegistry, version: str = "0.1.0") -> None:
        self._gauges = {
            name: Gauge(f"infadapter_{name}", text, _SERVICE, registry=registry)
            for name, text in _OF_SERVICE.items()
        }
        self._by_target = {
            name: Gauge(f"infadapter_{name}", text, _TARGET, registry=registry)
            for name, text in _OF_TARGET.items()
        }
        self._condition = Gauge(
            "infadapter_condition",
            "1 True, 0 False, -1 Unknown.",
            (*_SERVICE, "type"),
            registry=registry,
        )
        self._errors = Counter(
            "infadapter_errors_total",
            "Cycles without data or platform, and refused steps.",
            (*_SERVICE, "reason"),
            registry=registry,
        )
        self._steps = Counter(
            "infadapter_steps_total", "Steps taken.", (*_SERVICE, "step"), registry=registry
        )
        self._plans = Counter(
            "infadapter_plans_total", "Plans made.", (*_SERVICE, "source"), registry=registry
        )
        self._cycle_s = Histogram(
            "infadapter_look_duration_seconds",
            "From the begin of a cycle to its end.",
            _SERVICE,
            buckets=_LOOK_BUCKETS,
            registry=registry,
        )
        self._solve_s = Histogram(
            "infadapter_solve_duration_seconds",
            "What a decision took, its reasons included.",
            _SERVICE,
            buckets=_SOLVE_BUCKETS,
            registry=registry,
        )
        Gauge("infadapter_build_info", "Always 1.", ("version",), registry=registry).labels(
            version
        ).set(1)
        self._rollout = RolloutMetrics(registry)
        self._budget = BudgetMetrics(registry)
        self._targets: dict[tuple[str, str], set[Target]] = {}

    def record(
        self, cycle: Cycle, conditions: Iterable[Condition], duration_s: float | None = None
    ) -> None:
        """What a cycle found out and did; `duration_s` is measured by who awaited it."""
        key = (cycle.service.namespace, cycle.service.name)
        for name, value in _service_values(cycle).items():
            _set(self._gauges[name], key, value)
        self._record_targets(key, cycle)
        self._record_conditions(key, conditions)
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
        families = (*self._gauges.values(), *self._by_target.values(), self._condition)
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
        values = _target_values(cycle, cycle.decision.plan)
        for target in self._targets.get(key, set()) - set(values):
            for gauge in self._by_target.values():
                gauge.remove(*key, *target)
        for target, numbers in values.items():
            for name, number in numbers.items():
                _set(self._by_target[name], (*key, *target), number)
        self._targets[key] = set(values)


def _set(gauge: Gauge, key: tuple[str, ...], value: float | None) -> None:
    if value is None:
        gauge.remove(*key)
    else:
        gauge.labels(*key).set(value)


def _service_values(cycle: Cycle) -> dict[str, float | None]:
    decision = cycle.decision
    return {
        "demand_rps": cycle.load_rps,
        "forecast_rps": cycle.forecast_rps,
        "planning_demand_rps": decision.demand_rps if decision else None,
        "planned_capacity_rps": decision.plan.capacity_rps if decision else None,
        "ready_capacity_rps": cycle.ready_capacity_rps if cycle.observed else None,
        "planned_accuracy_ratio": decision.plan.accuracy if decision else None,
        "served_accuracy_ratio": cycle.state.served_accuracy if cycle.planned else None,
        "plan_cost": decision.plan.cost if decision else None,
        "plan_objective": decision.plan.objective if decision else None,
        "last_look_timestamp_seconds": cycle.now_s,
        "last_plan_timestamp_seconds": decision.decided_at_s if decision else None,
        "last_data_timestamp_seconds": cycle.state.last_data_s,
        "interval_seconds": cycle.service.interval_s,
    }


def _target_values(cycle: Cycle, plan: Plan) -> dict[Target, dict[str, float | None]]:
    observed = cycle.observed
    pods = observed.pods if observed else ()
    groups = {group.target: group for group in plan.groups}
    calibration = cycle.state.calibration
    away = {block.target for block in unavailable(cycle.blocks)}
    found: dict[Target, dict[str, float | None]] = {}
    for target in {*groups, *(pod.target for pod in pods), *_targets_of(cycle.service)}:
        own = [pod for pod in pods if pod.target == target]
        group = groups.get(target)
        found[target] = {
            "planned_pods": group.pods if group else 0,
            "ready_pods": sum(pod.ready and not pod.leaving for pod in own),
            "planned_cpu_cores": group.resources.get(CPU, 0) / 1000 if group else 0.0,
            "allocated_cpu_cores": sum(held_by(pod).get(CPU, 0) for pod in own) / 1000,
            "share_ratio": cycle.shares.get(target, 0.0),
            "learnt_capacity_ratio": calibration.ratio(target)
            if target in calibration.ratios
            else None,
            "variant_available": target not in away,
        }
    return found


def _targets_of(service: Service) -> Iterable[Target]:
    return {Target(v.name, a.kind) for v in service.variants for a in v.allocations}
