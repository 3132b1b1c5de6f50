"""
The status of an InferenceService: what the loop decided, and what it needs after a restart.

The plan in the status changes only when the plan does, conditions keep the time of their last
transition, and what is equal is not written.
"""

from collections.abc import Iterable, Mapping
from enum import StrEnum
from typing import TypeVar

from infadapter_operator.api.status import Decision as DecisionStatus
from infadapter_operator.api.status import (
    ErrorBudgetStatus,
    InferenceServiceStatus,
    PlannedPods,
    PlanStatus,
    PointShare,
    RejectedPlan,
    plan_summary,
)
from infadapter_operator.domain.decision import Alternative, Decision, Source
from infadapter_operator.domain.error_budget import ErrorBudget
from infadapter_operator.domain.progress import Block
from infadapter_operator.domain.service import Service
from infadapter_operator.planning.caution import reserve_factor
from infadapter_operator.reporting.condition import Condition
from infadapter_operator.reporting.transitions import whole_second, with_times
from infadapter_operator.reporting.variant_status import variants_of
from infadapter_profiles.frontier import mixture
from infadapter_profiles.quantities import amounts_as_quantities
from infadapter_solver import Binding
from infadapter_solver.problem import CPU, Allocation, Plan, PodGroup, PodSize, Target

Member = TypeVar("Member", bound=StrEnum)
KEPT_DECISIONS = 10
BUDGET_STEP = 0.1
"""The status says again what is left of the error budget when it has changed by so much."""

_BETWEEN = "; "
_NOTHING = InferenceServiceStatus()


def status_of(
    service: Service,
    generation: int,
    decision: Decision | None,
    conditions: Iterable[Condition],
    previous: InferenceServiceStatus | None,
    now_s: float,
    *,
    changed: bool,
    blocks: Mapping[Target, Block] | None = None,
    error_budget: ErrorBudget | None = None,
    served_accuracy: float | None = None,
) -> InferenceServiceStatus:
    """
    `changed`: the decision's plan is not the one of before. `blocks`: what does not come; None
    where nothing was looked at. `served_accuracy` is told with the plan, for it changes always.
    """
    before = previous or _NOTHING
    plan, history, served = before.plan, before.decisions, before.served_accuracy
    if decision and (changed or plan is None):
        plan = plan_status(decision)
        history = (_line(plan), *history)[:KEPT_DECISIONS]
        served = None if served_accuracy is None else round(served_accuracy, 4)
    return InferenceServiceStatus(
        observed_generation=generation,
        effective_price_per_core=round(price_per_core(service), 6),
        error_budget=budget_status(error_budget, before.error_budget),
        served_accuracy=served,
        plan=plan,
        decisions=history,
        variants=variants_of(service, blocks, before.variants, generation, now_s),
        conditions=with_times(conditions, before.conditions, generation, now_s),
    )


def without_service(
    generation: int,
    conditions: Iterable[Condition],
    previous: InferenceServiceStatus | None,
    now_s: float,
) -> InferenceServiceStatus:
    """Where the spec can't be carried out: the plan of before, if there is one, is still known."""
    before = previous or _NOTHING
    return before.model_copy(
        update={
            "observed_generation": generation,
            "conditions": with_times(conditions, before.conditions, generation, now_s),
        }
    )


def budget_status(
    budget: ErrorBudget | None, before: ErrorBudgetStatus | None
) -> ErrorBudgetStatus | None:
    """What was said before, while what is left has hardly changed."""
    if budget is None or budget.left is None:
        return None
    factor = reserve_factor(budget.pressure)
    if before and before.reserve_factor == factor and abs(budget.left - before.left) < BUDGET_STEP:
        return before
    return ErrorBudgetStatus(left=round(budget.left, 1), reserve_factor=factor)


def price_per_core(service: Service) -> float:
    """What a core must bring in accuracy to be worth it."""
    whole = service.objective.price_of(service.budget)
    return (
        service.objective.cost_weight * service.objective.prices.get(CPU, 1.0) / whole
        if whole
        else 0.0
    )


# --- the plan, there and back --------------------------------------------------------------------


def plan_status(decision: Decision) -> PlanStatus:
    plan = decision.plan
    allocations = tuple(_planned(plan, group) for group in plan.groups if group.pods)
    latency_s = decision.expected_latency_s
    return PlanStatus(
        planned_at=whole_second(decision.decided_at_s),
        feasible=plan.feasible,
        demand_rps=round(decision.demand_rps, 3),
        accuracy=round(plan.accuracy, 6),
        cost=round(plan.cost, 6),
        objective=None if plan.objective is None else round(plan.objective, 6),
        latency_milliseconds=None if latency_s is None else round(latency_s * 1000, 3),
        reason=decision.source.value,
        message=_BETWEEN.join(decision.why),
        binding_constraint=decision.binding.value,
        rejected=tuple(RejectedPlan(plan=a.variant, reason=a.reason) for a in decision.rejected)[
            :8
        ],
        summary=plan_summary(allocations),
        pods=sum(group.pods for group in plan.groups),
        allocations=allocations,
    )


def decision_from(service: Service, status: InferenceServiceStatus | None) -> Decision | None:
    """What was decided before a restart, with the capacities of today's profiles."""
    if status is None or status.plan is None:
        return None
    plan = status.plan
    return Decision(
        plan=Plan(
            groups=tuple(_group(service, planned) for planned in plan.allocations),
            served_rps={Target(p.variant, p.kind): p.served_rps for p in plan.allocations},
            accuracy=plan.accuracy,
            cost=plan.cost,
            cost_ratio=plan.cost / (service.objective.price_of(service.budget) or 1.0),
            loading_s=0.0,
            objective=plan.objective,
            feasible=plan.feasible,
        ),
        decided_at_s=plan.planned_at.timestamp(),
        demand_rps=plan.demand_rps,
        source=_member(Source, plan.reason, Source.OPTIMAL),
        binding=_member(Binding, plan.binding_constraint, Binding.NONE),
        why=tuple(plan.message.split(_BETWEEN)) if plan.message else (),
        rejected=tuple(
            Alternative(variant=r.plan, objective=None, reason=r.reason) for r in plan.rejected
        ),
        expected_latency_s=plan.latency_milliseconds and plan.latency_milliseconds / 1000,
    )


def _planned(plan: Plan, group: PodGroup) -> PlannedPods:
    return PlannedPods(
        variant=group.target.variant,
        kind=group.target.kind,
        resources=amounts_as_quantities(group.allocation.resources),
        batch_size=group.allocation.batch_size,
        pods=group.pods,
        capacity_rps=round(group.allocation.capacity_rps, 6),
        served_rps=round(plan.served_rps.get(group.target, 0.0), 6),
        points=_points(plan, group),
    )


def _points(plan: Plan, group: PodGroup) -> tuple[PointShare, ...]:
    """At most two: a pod mixes neighbours."""
    rates = mixture(group.allocation, plan.served_rps.get(group.target, 0.0) / group.pods)
    total_rps = sum(rates.values())
    return tuple(
        PointShare(name=name, share=round(rps / total_rps, 3))
        for name, rps in rates.items()
        if rps > 0
    )


def _group(service: Service, planned: PlannedPods) -> PodGroup:
    written = Allocation(
        size=PodSize(resources=planned.amounts, batch_size=planned.batch_size),
        capacity_rps=planned.capacity_rps,
    )
    known = (
        allocation
        for variant in service.variants
        if variant.name == planned.variant
        for allocation in variant.allocations
        if allocation.size == written.size
    )
    return PodGroup(
        target=Target(planned.variant, planned.kind),
        allocation=next(known, written),
        pods=planned.pods,
    )


def _line(plan: PlanStatus) -> DecisionStatus:
    return DecisionStatus(
        at=plan.planned_at,
        reason=plan.reason,
        demand_rps=plan.demand_rps,
        accuracy=plan.accuracy,
        cost=plan.cost,
        summary=plan.summary,
    )


def _member(kind: type[Member], value: str | None, default: Member) -> Member:
    """A newer operator may have written one that this one does not know."""
    try:
        return kind(value or "")
    except ValueError:
        return default
