"""A plan as JSON and as a table."""

import json
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import replace

from infadapter_profiles.sizes import mean_accuracy
from infadapter_solver import (
    CPU,
    Plan,
    PodGroup,
    Problem,
    binding_of,
    binding_sentence,
    broken,
    evaluate,
    expected_points,
    left_out,
    solve,
)

DIGITS = 9
"""
Significant digits: enough for comparisons, and few enough to hide the rounding of binary fractions.
"""


def plan_json(plan: Plan) -> str:
    """
    Return the plan as JSON.

    `cores` are those of all pods of a variant. Extended resources appear if there are any. `gap` is
    the possible improvement of the objective, if time ran out before it was known. `points` are the
    shares of a variant's requests by operating point.
    """
    devices = {
        group.target.variant: {r: n for r, n in group.resources.items() if r != CPU and n}
        for group in plan.groups
    }
    document = {
        "cores": _by_variant((g, g.resources.get(CPU, 0) / 1000) for g in plan.groups),
        "pods": _by_variant((group, group.pods) for group in plan.groups),
        "served_rps": _by_variant((g, plan.served_rps[g.target]) for g in plan.groups),
        "accuracy": round(plan.accuracy, DIGITS),
        "objective": None if plan.objective is None else round(plan.objective, DIGITS),
        "feasible": plan.feasible,
    }
    if plan.gap:
        document["gap"] = round(plan.gap, DIGITS)
    if points := _point_shares(plan):
        document["points"] = {
            variant: {point: round(share, DIGITS) for point, share in shares.items()}
            for variant, shares in points.items()
        }
    if any(devices.values()):
        document["resources"] = {variant: own for variant, own in devices.items() if own}
    return json.dumps(document, indent=2)


def plan_table(problem: Problem, plan: Plan, accuracy_floor: float = 0.0) -> str:
    """
    Return the plan as a table; `accuracy_floor` is the one that the variants were offered with.
    """
    rows = [
        ("variant", "on", "pods", "cores each", "capacity rps", "serves rps", "share", "accuracy"),
        *(_row(problem, plan, group) for group in plan.groups),
    ]
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    lines = [
        "  ".join(
            cell.ljust(width) if left else cell.rjust(width)
            for left, cell, width in zip([True, True] + 6 * [False], row, widths, strict=True)
        ).rstrip()
        for row in rows
    ]
    return "\n".join([*lines, "", *_summary(problem, plan, accuracy_floor)])


def _row(problem: Problem, plan: Plan, group: PodGroup) -> tuple[str, ...]:
    served_rps = plan.served_rps[group.target]
    best = next(v.accuracy for v in problem.variants if v.name == group.target.variant)
    accuracy = mean_accuracy(group.allocation.segments(best), served_rps / group.pods)
    return (
        group.target.variant,
        group.target.kind,
        str(group.pods),
        f"{group.allocation.cpu_millicores / 1000:g}",
        f"{group.capacity_rps:.1f}",
        f"{served_rps:.1f}",
        f"{served_rps / sum(plan.served_rps.values()):.1%}",
        f"{accuracy:.4f}",
    )


def _point_shares(plan: Plan) -> Mapping[str, Mapping[str, float]]:
    """Return the shares of requests by variant and operating point."""
    rates: dict[str, Counter[str]] = {}
    for target, of_target in expected_points(plan).items():
        rates.setdefault(target.variant, Counter()).update(of_target)
    return {
        variant: {point: rps / total for point, rps in found.items()}
        for variant, found in rates.items()
        if (total := sum(found.values()))
    }


def _summary(problem: Problem, plan: Plan, accuracy_floor: float) -> Iterable[str]:
    used = evaluate(problem, plan.groups)
    budget = ", ".join(f"{_amount(problem, r)} {r}" for r in problem.budget)
    yield f"capacity   {plan.capacity_rps:.1f} rps for {problem.demand_rps:g} rps"
    yield f"cost       {used.cost:g}, {plan.cost_ratio:.1%} of the budget ({budget})"
    yield f"accuracy   {plan.accuracy:.4f}"
    for variant, shares in _point_shares(plan).items():
        told = ", ".join(f"{share:.1%} with {point}" for point, share in shares.items())
        yield f"points     {variant} answers {told}"
    for variant, why in left_out(problem, accuracy_floor).items():
        yield f"left out   {variant} {why}"
    if plan.objective is None:
        yield f"infeasible {'; '.join(broken(problem, plan))}"
        return
    yield f"objective  {plan.objective:.4f}" + (f" (gap {plan.gap:.1g})" if plan.gap else "")
    yield f"why        {'; '.join(_reasons(problem, plan))}"


def _reasons(problem: Problem, plan: Plan) -> Iterable[str]:
    alone = solve(replace(problem, max_targets=1))
    if len(plan.groups) > 1:
        if alone.feasible:
            yield f"{_difference(plan, alone)} better than {alone.groups[0].target.variant} alone"
        else:
            yield "no variant alone serves the demand"
    yield binding_sentence(problem, plan, binding_of(problem, plan))


def _difference(plan: Plan, other: Plan) -> str:
    return f"{(plan.objective or 0.0) - (other.objective or 0.0):.4f}"


def _amount(problem: Problem, resource: str) -> str:
    amount = problem.budget[resource]
    return f"{amount / 1000:g}" if resource == CPU else str(amount)


def _by_variant(values: Iterable[tuple[PodGroup, float]]) -> Mapping[str, float]:
    sums: dict[str, float] = {}
    for group, value in values:
        sums[group.target.variant] = sums.get(group.target.variant, 0) + value
    return {variant: _plain(value) for variant, value in sums.items()}


def _plain(value: float) -> float:
    """Return whole numbers without decimals: 13, not 13.0."""
    rounded = round(value, DIGITS)
    return int(rounded) if rounded == int(rounded) else rounded
