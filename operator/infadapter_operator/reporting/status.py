"""
The status of an InferenceService: the decision, and what the loop needs after a restart.

The plan in the status changes only with the plan, conditions keep the time of their last
transition, and an unchanged status is not written.
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
"""Change of the remaining error budget that is worth a status write."""

SERVED_STEP = 0.02
"""Change of the served accuracy that is worth a status write; it is never twice the same."""

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
    Return the status.

    `changed` says that the decision has another plan than before. `blocks` are the failing targets;
    None if nothing was observed.
    """
    before = previous or _NOTHING
    plan, history, served = before.plan, before.decisions, before.served_accuracy
    if decision and (changed or plan is None):
        plan = plan_status(decision)
        history = (_line(plan), *history)[:KEPT_DECISIONS]
        served = None  # belonged to another plan
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
    """Return the status of a spec that cannot be carried out; an earlier plan is kept."""
    before = previous or _NOTHING
    return before.model_copy(
        update={
            "observed_generation": generation,
            "conditions": with_times(conditions, before.conditions, generation, now_s),
        }
    )


def served_status(now: float | None, before: float | None) -> float | None:
    """Return the accuracy to report: the earlier one while it has hardly changed or is unknown."""
    if now is None or (before is not None and abs(now - before) < SERVED_STEP):
        return before
    return round(now, 4)


def budget_status(
    budget: ErrorBudget | None, before: ErrorBudgetStatus | None
) -> ErrorBudgetStatus | None:
    """Return the budget to report: the earlier one while it has hardly changed."""
    if budget is None or budget.left is None:
        return None
    factor = reserve_factor(budget.pressure)
    if before and before.reserve_factor == factor and abs(budget.left - before.left) < BUDGET_STEP:
        return before
    return ErrorBudgetStatus(left=round(budget.left, 1), reserve_factor=factor)


def price_per_core(service: Service) -> float:
    """Return the accuracy that one core must gain to be worth its cost."""
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
