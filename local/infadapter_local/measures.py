"""The measures of a demo's run, computed from outcomes of requests and held resources. Pure."""

from collections.abc import Sequence
from dataclasses import dataclass

from infadapter_local.holding import Held, levels
from infadapter_operator.domain.service import Service
from infadapter_solver import CPU
from infadapter_workload.holding import holding
from infadapter_workload.measures import Shares, objective, shares
from infadapter_workload.outcomes import (
    Outcome,
    Summary,
    accuracy_in_time,
    accuracy_of,
    summarise,
)


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
    longest_start_s: float | None  # from a pod's creation until it was seen Ready
    objective: float
    accuracy_of_answers: float | None  # of all answers, late ones included


def accuracies(service: Service) -> dict[str, float]:
    """
    Return accuracies by the names of variants and operating points, including those that are not
    planned.
    """
    profiles = service.profiles.values()
    points = (point for profile in profiles for point in profile.operating_points)
    return {
        **{point.name: point.accuracy for point in points},
        **{profile.variant: profile.accuracy for profile in profiles},
        **{variant.name: variant.accuracy for variant in service.variants},
    }


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
    Return the measures. `service` is ours for every policy: its budget, prices and weights apply to
    all. `starts_s` are the durations of pod starts, including those before `begin_s`.
    """
    counted = [o for o in outcomes if begin_s <= o.scheduled_s < end_s]
    summary = summarise(counted, slo_s=service.slo_s)
    found = _shares(counted, summary, service)
    cores = holding(levels(held, service.objective), service.budget[CPU], begin_s, end_s)
    mean_cost = cores.cost_seconds / (end_s - begin_s)
    return Measures(
        arrived=summary.arrived,
        effective_accuracy=found.effective_accuracy,
        late=found.late,
        refused=found.refused,
        failed=found.failed,
        violations=found.violations,
        p50_ms=summary.p50_ms,
        p99_ms=summary.p99_ms,
        mean_cores=cores.core_seconds / (end_s - begin_s),
        mean_cost=mean_cost,
        cpu_seconds_held=cores.core_seconds,
        cpu_seconds_used=cpu_seconds_used,
        peak_cores_held=cores.peak_cores,
        core_seconds_over_budget=cores.core_seconds_over_budget,
        longest_over_budget_s=cores.longest_over_budget_s,
        plan_changes=sum(begin_s <= at_s < end_s for at_s in plan_changes_s),
        longest_start_s=max(starts_s, default=None),
        objective=_objective(found.effective_accuracy, mean_cost, service),
        accuracy_of_answers=_accuracy_of_answers(counted, service),
    )


def _shares(counted: Sequence[Outcome], summary: Summary, service: Service) -> Shares:
    return shares(
        summary.arrived,
        accuracy_in_time=accuracy_in_time(counted, accuracies(service), service.slo_s),
        late=summary.late,
        refused=summary.refused,
        failed=summary.failed,
    )


def _objective(effective_accuracy: float, mean_cost: float, service: Service) -> float:
    return objective(
        effective_accuracy,
        mean_cost,
        budget_cost=service.objective.price_of(service.budget),
        accuracy_weight=service.objective.accuracy_weight,
        cost_weight=service.objective.cost_weight,
    )


def _accuracy_of_answers(counted: Sequence[Outcome], service: Service) -> float | None:
    accuracy = accuracies(service)
    worth = [accuracy_of(outcome, accuracy) for outcome in counted if outcome.answered]
    return sum(worth) / len(worth) if worth else None
