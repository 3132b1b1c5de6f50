"""
A good plan at once, without a search: what is fallen back on when the programme is cut short.
"""

from collections.abc import Iterator

from infadapter_solver.offers import goal, most_pods, offers, unit_cost_ratio
from infadapter_solver.problem import Allocation, Plan, PodGroup, Problem, Target
from infadapter_solver.value import best, evaluate

Groups = tuple[PodGroup, ...]


def greedy(problem: Problem) -> Plan:
    """The best of: each target alone, and targets stacked by capacity for the money."""
    plans = [evaluate(problem, groups) for groups in _candidates(problem)]
    feasible = [plan for plan in plans if plan.feasible]
    if feasible:
        return best(problem, feasible)
    most_rps = max(sum(plan.served_rps.values()) for plan in plans)
    return best(problem, [p for p in plans if sum(p.served_rps.values()) >= most_rps])


def _candidates(problem: Problem) -> Iterator[Groups]:
    wanted = goal(problem)
    sizes = [(target, a) for target, found in offers(problem).items() for a in found]
    yield ()
    yield _stacked(problem, sizes)
    for target, allocation in sizes:
        pods = most_pods(problem, wanted, target, allocation)
        yield (PodGroup(target=target, allocation=allocation, pods=pods),)


def _stacked(problem: Problem, sizes: list[tuple[Target, Allocation]]) -> Groups:
    by_value = sorted(
        sizes, key=lambda size: unit_cost_ratio(problem, size[1]) / size[1].capacity_rps
    )
    left = dict(problem.budget)
    short_rps = goal(problem).capacity_rps
    groups: dict[Target, PodGroup] = {}
    for target, allocation in by_value:
        if target in groups or short_rps <= 0 or len(groups) == problem.max_targets:
            continue
        fit = min(left[name] // amount for name, amount in allocation.resources.items() if amount)
        pods = min(fit, most_pods(problem, goal(problem), target, allocation))
        if pods:
            groups[target] = PodGroup(target=target, allocation=allocation, pods=pods)
            left = {r: n - groups[target].resources.get(r, 0) for r, n in left.items()}
            short_rps -= groups[target].capacity_rps
    return tuple(groups.values())
