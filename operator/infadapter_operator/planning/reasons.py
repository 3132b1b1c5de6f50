"""
The reasons of a plan: its inputs, the single variants that would have been worse, and the binding
constraint. Computed only for a new plan.
"""

from dataclasses import replace

from infadapter_operator.domain.decision import Alternative, Decision, Source
from infadapter_operator.domain.observed import Observed
from infadapter_operator.domain.service import Service
from infadapter_operator.planning.problem import problem_for
from infadapter_solver import (
    Plan,
    PodGroup,
    Problem,
    Variant,
    binding_of,
    binding_sentence,
    expected_latency_s,
    score,
    solve,
)


def with_reasons(
    service: Service,
    observed: Observed,
    decision: Decision,
    previous: Decision | None,
    *,
    explains: bool = True,
) -> Decision:
    """
    Return the decision with its reasons. A plan that is kept keeps them; a new one gets them only
    with `explains`.
    """
    if previous and decision.plan is previous.plan and previous.is_from_load:
        return _with_reasons_of(decision, previous)
    if not explains:
        return decision
    return explained(service, problem_for(service, observed, decision.demand_rps), decision)


def explained(service: Service, problem: Problem, decision: Decision) -> Decision:
    """Return the decision with its reasons; `problem` is the problem that it solves."""
    plan = decision.plan
    binding = binding_of(problem, plan)
    rejected = tuple(
        _alone(problem, plan, variant)
        for variant in sorted(problem.variants, key=lambda v: (-v.accuracy, v.name))
        if variant.allocations and _variants(plan) != {variant.name}
    )
    latency_s = _expected_latency_s(service, plan)
    why = (
        _inputs(service, decision),
        _expects(service, plan, latency_s),
        *_most_accurate(problem, plan, rejected),
        *_next_best(rejected),
        binding_sentence(problem, plan, binding),
    )
    return replace(
        decision, binding=binding, rejected=rejected, why=why, expected_latency_s=latency_s
    )


def _inputs(service: Service, decision: Decision) -> str:
    demand = f"planned for {decision.demand_rps:.1f} rps"
    if decision.source is Source.ADOPTED:
        return "running pods were adopted, no load has been observed yet"
    if decision.source is Source.WARMING:
        return f"{demand}: no pods were running and no load has been observed yet"
    if decision.forecast_rps is None or decision.observed_rps is None:
        return demand
    return (
        f"{demand}: forecast {decision.forecast_rps:.1f} (quantile {service.quantile:g} over"
        f" {service.planning_horizon_s:g} s), highest seen in {service.stabilization_s:g} s"
        f" {decision.observed_rps:.1f}, minimum {service.minimum_rps:g}"
    )


def _expects(service: Service, plan: Plan, latency_s: float | None) -> str:
    latency = "" if latency_s is None else f", latency {1000 * latency_s:.0f} ms"
    percentile = "" if latency_s is None else f" at percentile {service.percentile:g}"
    return (
        f"expected accuracy {plan.accuracy:.4f}{latency}{percentile},"
        f" cost {plan.cost:g} ({plan.cost_ratio:.0%} of the budget's price)"
    )


def _expected_latency_s(service: Service, plan: Plan) -> float | None:
    """
    Return the latency of the slowest group at the SLO's percentile, s; None if a profile does not
    have it.
    """
    found = [_latency_of(service, plan, group) for group in plan.groups]
    known = [latency_s for latency_s in found if latency_s is not None]
    return max(known) if found and len(known) == len(found) else None


def _latency_of(service: Service, plan: Plan, group: PodGroup) -> float | None:
    profile = service.profiles.get(group.target.variant)
    if profile is None:
        return None
    rps = plan.served_rps[group.target] / group.pods
    return expected_latency_s(profile, group.allocation, rps, service.percentile)


def _alone(problem: Problem, plan: Plan, variant: Variant) -> Alternative:
    alone = solve(replace(problem, variants=(variant,)))
    objective = alone.objective
    if objective is None:
        reason = (
            f"serves {alone.capacity_rps:.1f} rps of {problem.demand_rps:.1f} within the budget"
        )
    else:
        reason = (
            f"accuracy {alone.accuracy:.4f} at {alone.cost_ratio:.0%} of the budget's price,"
            f" objective {objective:.4f} against {score(problem, plan):.4f}"
        )
    return Alternative(variant=variant.name, objective=objective, reason=reason)


def _most_accurate(
    problem: Problem, plan: Plan, rejected: tuple[Alternative, ...]
) -> tuple[str, ...]:
    if not rejected:
        return ()
    best = max(problem.variants, key=lambda v: (bool(v.allocations), v.accuracy)).name
    return tuple(
        f"{alone.variant}, the most accurate, does not take all: alone it {_verb(alone)}"
        for alone in rejected
        if alone.variant == best
    )


def _verb(alone: Alternative) -> str:
    return alone.reason if alone.objective is None else f"has {alone.reason}"


def _next_best(rejected: tuple[Alternative, ...]) -> tuple[str, ...]:
    scored = [(a.objective, a.variant) for a in rejected if a.objective is not None]
    if not scored:
        return ()
    objective, variant = max(scored)
    return (f"the next best single variant is {variant}, with objective {objective:.4f}",)


def _variants(plan: Plan) -> set[str]:
    return {group.target.variant for group in plan.groups}


def _with_reasons_of(decision: Decision, previous: Decision) -> Decision:
    return replace(
        decision,
        source=previous.source,
        binding=previous.binding,
        why=previous.why,
        rejected=previous.rejected,
        expected_latency_s=previous.expected_latency_s,
    )
