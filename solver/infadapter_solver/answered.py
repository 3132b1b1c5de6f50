"""With which operating points a plan's pods are expected to answer."""

from collections.abc import Mapping

from infadapter_profiles.frontier import mixture
from infadapter_solver.problem import Plan, Target


def expected_points(plan: Plan) -> Mapping[Target, Mapping[str, float]]:
    """
    Requests per second by target and point, of the targets whose pods have points.

    Pods of a target are alike and get equal parts, as a router gives them.
    """
    return {
        group.target: {
            point: group.pods * rps
            for point, rps in mixture(
                group.allocation, plan.served_rps[group.target] / group.pods
            ).items()
        }
        for group in plan.groups
        if group.allocation.points
    }
