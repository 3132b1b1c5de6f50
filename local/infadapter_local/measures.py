"""
What a run is measured by, as docs/design.md defines it: from the requests' outcomes and the CPU
that was held. Pure.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from infadapter_local.holding import Held, holding
from infadapter_operator.domain.service import Service
from infadapter_server.loadgen.outcomes import Outcome, percentile
from infadapter_solver import CPU


@dataclass(frozen=True, slots=True, kw_only=True)
class Measures:
    """Shares of all requests that arrived, unless the name says otherwise."""

    arrived: int
    effective_accuracy: float
    late: float
    refused: float
    failed: float
    violations: float
    p50_ms: float | None
    p99_ms: float | None
    mean_cores: float
    mean_cost: float
    cpu_seconds_held: float
    cpu_seconds_used: float
    peak_cores_held: float
    core_seconds_over_budget: float
    longest_over_budget_s: float  # unbroken
    plan_changes: int
    longest_start_s: float | None  # of a pod, from its creation until it was seen Ready
    objective: float
    accuracy_of_answers: float | None  # of what was answered, whenever


def measure_run(
    outcomes: Sequence[Outcome],
    held: Sequence[Held],
    *,
    service: Service,
    begin_s: float,
    end_s: float,
    cpu_seconds_used: float,
    plan_changes_s: Sequence[float] = (),
    starts_s: Sequence[float] = (),
) -> Measures:
    """
    `service` is ours for every policy: its budget, prices and weights judge all of them.
    `starts_s` are how long pods took to start, also before `begin_s`.
    """
    counted = [o for o in outcomes if begin_s <= o.scheduled_s < end_s]
    arrived = len(counted)
    answered = [o for o in counted if o.answered]
    accuracy = {variant.name: variant.accuracy for variant in service.variants}
    in_time = [o for o in answered if o.latency_s <= service.slo_s]
    worth = [accuracy.get(o.variant or "", 0.0) for o in answered]
    effective = sum(accuracy.get(o.variant or "", 0.0) for o in in_time) / max(1, arrived)
    late = (len(answered) - len(in_time)) / max(1, arrived)
    refused = sum(o.refused for o in counted) / max(1, arrived)
    failed = (arrived - len(answered)) / max(1, arrived) - refused
    cores = holding(held, service.budget[CPU], begin_s, end_s)
    mean_cores = cores.core_seconds / (end_s - begin_s)
    price = service.objective.prices.get(CPU, 1.0)
    budget_cost = price * service.budget[CPU] / 1000
    latencies_ms = [1000 * o.latency_s for o in answered]
    return Measures(
        arrived=arrived,
        effective_accuracy=effective,
        late=late,
        refused=refused,
        failed=failed,
        violations=late + refused + failed,
        p50_ms=percentile(latencies_ms, 50),
        p99_ms=percentile(latencies_ms, 99),
        mean_cores=mean_cores,
        mean_cost=price * mean_cores,
        cpu_seconds_held=cores.core_seconds,
        cpu_seconds_used=cpu_seconds_used,
        peak_cores_held=cores.peak_cores,
        core_seconds_over_budget=cores.core_seconds_over_budget,
        longest_over_budget_s=cores.longest_over_budget_s,
        plan_changes=sum(begin_s <= at_s < end_s for at_s in plan_changes_s),
        longest_start_s=max(starts_s, default=None),
        objective=service.objective.accuracy_weight * effective
        - service.objective.cost_weight * price * mean_cores / budget_cost,
        accuracy_of_answers=sum(worth) / len(worth) if worth else None,
    )
