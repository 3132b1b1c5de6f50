"""
Convert the plan to its status and back, so that a restarted operator continues with its decision.
"""

from enum import StrEnum
from typing import TypeVar

from infadapter_operator.api.plan import (
    PlannedPods,
    PlanStatus,
    PointShare,
    RejectedPlan,
    plan_summary,
)
from infadapter_operator.api.status import InferenceServiceStatus
from infadapter_operator.domain.decision import Alternative, Decision, Source
from infadapter_operator.domain.service import Service
from infadapter_operator.reporting.transitions import whole_second
from infadapter_profiles.frontier import mixture
from infadapter_profiles.quantities import amounts_as_quantities
from infadapter_solver import Binding
from infadapter_solver.problem import Allocation, Plan, PodGroup, PodSize, Target

Member = TypeVar("Member", bound=StrEnum)
_BETWEEN = "; "


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
    """Return the decision from before a restart, with the current profiles' capacities."""
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
    """Return at most two operating points, since a pod mixes neighbouring ones."""
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


def _member(kind: type[Member], value: str | None, default: Member) -> Member:
    """Return the enum member, or the default for one that a newer operator wrote."""
    try:
        return kind(value or "")
    except ValueError:
        return default
