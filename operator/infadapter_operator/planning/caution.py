"""
What a plan gives up while the error budget burns.

First the reserve grows, then accuracy counts for less. Once the whole budget is spent all variants
count the same, so the cheapest capacity is planned and the rest of the resource budget is room to
grow.
"""

from collections.abc import Iterable
from dataclasses import replace

from infadapter_operator.domain.decision import Decision
from infadapter_operator.domain.observed import Observed
from infadapter_operator.domain.service import Calibrated, Derived, Service
from infadapter_operator.planning.capacity import as_allocation
from infadapter_operator.planning.decide import choose, decide
from infadapter_operator.planning.planning_demand import Load
from infadapter_operator.planning.problem import problem_for
from infadapter_operator.planning.reasons import explained, with_reasons
from infadapter_profiles.sizes import mean_accuracy
from infadapter_solver import Plan, PodGroup, Variant, evaluate

LEVELS = 4
"""
Number of levels of caution. A pressure that fades continuously would change the plan at every
interval.
"""

MOST_RESERVE = 8.0
"""Factor on the usual reserve at the highest level, never more than the budget serves."""

TRADED_UNTIL = 0.5
"""
Level up to which only the reserve grows. Beyond it variants are exchanged, which moves pods and so
costs misses of its own.
"""


def caution(pressure: float) -> float:
    """Return the pressure rounded to whole levels, from 0 to 1."""
    return round(LEVELS * pressure) / LEVELS


def reserve_factor(pressure: float) -> float:
    """Return the factor by which the reserve is multiplied."""
    return 1 + (MOST_RESERVE - 1) * caution(pressure)


def trade_allowed(pressure: float) -> float:
    """
    Return the factor by which differences in accuracy count in the objective, from 1 down to 0.
    """
    return 1 - max(0.0, caution(pressure) - TRADED_UNTIL) / (1 - TRADED_UNTIL)


def decide_with_caution(
    service: Service,
    load: Load,
    observed: Observed,
    previous: Decision | None,
    now_s: float,
    pressure: float,
    *,
    explains: bool = True,
) -> Decision:
    """
    Return the decision, made with caution if the pressure asks for it; otherwise the same as
    `decide`.
    """
    if caution(pressure) == 0:
        return decide(service, load, observed, previous, now_s, explains=explains)
    level = _levelled(service, trade_allowed(pressure))
    before = previous and replace(previous, plan=_valued(level, previous.plan))
    found = choose(level, load, observed, before, now_s, reserve_factor(pressure))
    if previous and before and found.plan is before.plan:
        kept = replace(found, plan=previous.plan)
        return with_reasons(service, observed, kept, previous, explains=explains)
    problem = problem_for(service, observed, found.demand_rps)
    groups = _with_points_of(service, found.plan.groups)
    plan = replace(evaluate(problem, groups), gap=found.plan.gap)
    valued = replace(found, plan=plan)
    if not explains:
        return valued
    told = explained(service, problem, valued)
    return replace(told, why=(*told.why, _reason(pressure)))


def _levelled(service: Service, trade: float) -> Service:
    """
    Return the service with variants whose accuracies differ less. Requests that are not served cost
    as much as before.
    """
    known = service.derived.of(service.variants).levelled
    if trade not in known:
        best = max(variant.accuracy for variant in service.variants)
        variants = tuple(_nearer(variant, best, trade) for variant in service.variants)
        known[trade] = Calibrated(variants, Derived())
    return replace(service, variants=known[trade].variants, derived=known[trade].derived)


def _nearer(variant: Variant, best: float, trade: float) -> Variant:
    """
    Return the variant with its accuracy, and that of its operating points, closer to the best one.
    Points whose accuracies coincide are dropped.
    """

    def levelled(accuracy: float) -> float:
        return best - trade * (best - accuracy)

    allocations = tuple(
        replace(
            a, points=tuple(replace(p, accuracy=levelled(p.accuracy)) for p in a.points if trade)
        )
        for a in variant.allocations
    )
    return replace(variant, accuracy=levelled(variant.accuracy), allocations=allocations)


def _valued(service: Service, plan: Plan) -> Plan:
    """Return the plan with its accuracy computed from this service's variants."""
    served_rps = sum(plan.served_rps.values())
    if served_rps <= 0:
        return plan
    known: dict[str, Variant] = {variant.name: variant for variant in service.variants}
    if any(target.variant not in known for target in plan.served_rps):
        return plan  # of another spec: it will be replaced anyway
    groups = _with_points_of(service, plan.groups)
    gained = sum(
        mean_accuracy(known[group.target.variant].segments(group.allocation), rps / group.pods)
        * rps
        for group in groups
        if group.pods and (rps := plan.served_rps.get(group.target, 0.0))
    )
    return replace(plan, groups=groups, accuracy=gained / served_rps)


def _with_points_of(service: Service, groups: Iterable[PodGroup]) -> tuple[PodGroup, ...]:
    """Return the groups with this service's operating points and accuracies."""
    return tuple(
        replace(group, allocation=replace(group.allocation, points=known.points))
        for group in groups
        for known in (as_allocation(service, group.target, group.allocation.size),)
    )


def _reason(pressure: float) -> str:
    trade = trade_allowed(pressure)
    counts = "" if trade == 1 else f", and accuracy with {trade:.0%} of its weight"
    return (
        f"the error budget burns: planned with {reserve_factor(pressure):g} × the reserve{counts}"
    )
