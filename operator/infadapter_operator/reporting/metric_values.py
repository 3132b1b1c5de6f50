"""The values of a cycle's metrics by name; None: the metric has no value now."""

from collections.abc import Iterable

from infadapter_operator.domain.service import Service
from infadapter_operator.planning.capacity import held
from infadapter_operator.reconcile import Cycle
from infadapter_operator.reporting.sentences import unavailable
from infadapter_solver.problem import CPU, Plan, Target


def service_values(cycle: Cycle) -> dict[str, float | None]:
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


def target_values(cycle: Cycle, plan: Plan) -> dict[Target, dict[str, float | None]]:
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
            "allocated_cpu_cores": held(own).get(CPU, 0) / 1000,
            "share_ratio": cycle.shares.get(target, 0.0),
            "learnt_capacity_ratio": calibration.ratio(target)
            if target in calibration.ratios
            else None,
            "variant_available": target not in away,
        }
    return found


def _targets_of(service: Service) -> Iterable[Target]:
    return {Target(v.name, a.kind) for v in service.variants for a in v.allocations}
