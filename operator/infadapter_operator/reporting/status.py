"""
The status of an InferenceService: what the loop decided, and what it needs after a restart.

The plan in the status changes only when the plan does, conditions keep the time of their last
transition, and what is equal is not written.
"""

from collections.abc import Iterable, Mapping

from infadapter_operator.api.plan import Decision as DecisionStatus
from infadapter_operator.api.plan import PlanStatus
from infadapter_operator.api.status import ErrorBudgetStatus, InferenceServiceStatus
from infadapter_operator.domain.decision import Decision
from infadapter_operator.domain.error_budget import ErrorBudget
from infadapter_operator.domain.progress import Block
from infadapter_operator.domain.service import Service
from infadapter_operator.planning.caution import reserve_factor
from infadapter_operator.reporting.condition import Condition
from infadapter_operator.reporting.plan_status import plan_status
from infadapter_operator.reporting.transitions import with_times
from infadapter_operator.reporting.variant_status import variants_of
from infadapter_solver.problem import CPU, Target

KEPT_DECISIONS = 10
BUDGET_STEP = 0.1
"""The status says again what is left of the error budget when it has changed by so much."""

SERVED_STEP = 0.02
"""Likewise of how accurate the answers are, which is never twice the same."""

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
    where nothing was looked at.
    """
    before = previous or _NOTHING
    plan, history, served = before.plan, before.decisions, before.served_accuracy
    if decision and (changed or plan is None):
        plan = plan_status(decision)
        history = (_line(plan), *history)[:KEPT_DECISIONS]
        served = None  # that of another plan
    return InferenceServiceStatus(
        observed_generation=generation,
        effective_price_per_core=round(price_per_core(service), 6),
        error_budget=budget_status(error_budget, before.error_budget),
        served_accuracy=served_status(served_accuracy, served),
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


def served_status(now: float | None, before: float | None) -> float | None:
    """What was said before, while it has hardly changed or nobody tells."""
    if now is None or (before is not None and abs(now - before) < SERVED_STEP):
        return before
    return round(now, 4)


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


def _line(plan: PlanStatus) -> DecisionStatus:
    return DecisionStatus(
        at=plan.planned_at,
        reason=plan.reason,
        demand_rps=plan.demand_rps,
        accuracy=plan.accuracy,
        cost=plan.cost,
        summary=plan.summary,
    )
