"""The operating points with which a plan's pods are expected to answer."""

from collections.abc import Mapping

from infadapter_profiles.frontier import mixture
from infadapter_solver.problem import Plan, Target


def expected_points(plan: Plan) -> Mapping[Target, Mapping[str, float]]:
    """
    Return requests per second by target and point, for targets whose pods have points.

    The pods of a target are identical and receive equal shares, as from a router.
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
