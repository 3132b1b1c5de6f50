"""Variants that no plan can contain, and why, so that a user sees what to change."""

from collections.abc import Mapping

from infadapter_profiles.quantities import amounts_as_quantities
from infadapter_solver.candidates import LEAST_CAPACITY_RPS, candidates
from infadapter_solver.problem import Allocation, Problem, Resources, Variant


def left_out(problem: Problem, accuracy_floor: float = 0.0) -> Mapping[str, str]:
    """
    Return the reason by variant, in the problem's order: a phrase that begins with a verb or `none
    of its`.

    `accuracy_floor` is the one with which the variants were offered.
    """
    can_run = {target.variant for target in candidates(problem)}
    return {
        variant.name: _reason(problem, variant, accuracy_floor)
        for variant in problem.variants
        if variant.name not in can_run
    }


def _reason(problem: Problem, variant: Variant, accuracy_floor: float) -> str:
    if below := below_floor(variant.accuracy, accuracy_floor):
        return below
    serving = [a for a in variant.allocations if a.capacity_rps >= LEAST_CAPACITY_RPS]
    if not serving:
        return f"none of its sizes meets the SLO{_as_accurately(accuracy_floor)}"
    known = [a for a in serving if not _missing(problem, a)]
    if not known:
        return f"needs {', '.join(_missing(problem, serving[0]))}, which the budget does not have"
    fitting = [a for a in known if not _beyond(problem, a)]
    if fitting:
        return "is limited to no pods"
    smallest = min(
        known, key=lambda a: (len(_beyond(problem, a)), problem.objective.price_of(a.resources))
    )
    beyond = _beyond(problem, smallest)
    has = amounts_as_quantities({name: problem.budget[name] for name in beyond})
    needs = ", ".join(f"{amount} {name}" for name, amount in amounts_as_quantities(beyond).items())
    return f"needs {needs} in the smallest size that serves, of {', '.join(has.values())}"


def below_floor(accuracy: float, accuracy_floor: float) -> str:
    """Return a phrase, or "" for a variant that may be planned."""
    if accuracy >= accuracy_floor:
        return ""
    return f"is below the accuracy floor of {accuracy_floor:g}, at {accuracy:g}"


def _as_accurately(accuracy_floor: float) -> str:
    """
    Return the qualification that applies with an accuracy floor: a less accurate operating point
    may meet the SLO.
    """
    return f" at an accuracy of {accuracy_floor:g} or more" if accuracy_floor else ""


def _missing(problem: Problem, allocation: Allocation) -> list[str]:
    return [
        name
        for name, amount in allocation.resources.items()
        if amount and not problem.budget.get(name)
    ]


def _beyond(problem: Problem, allocation: Allocation) -> Resources:
    return {
        name: amount
        for name, amount in allocation.resources.items()
        if amount > problem.budget.get(name, 0)
    }
