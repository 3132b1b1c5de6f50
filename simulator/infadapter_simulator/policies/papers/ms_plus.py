"""
MS+: Model-Switching (HotCloud'20) as adapted by InfAdapter's authors (adapter/reconfig.py).

InfAdapter's whole loop with one variant at a time: for each variant the fewest cores that serve the
demand, and of these the best by the same objective.
"""

from collections.abc import Sequence

from infadapter_simulator.policies.papers.forecast import Forecaster, last_maximum
from infadapter_simulator.policies.papers.infadapter import infadapter_paper
from infadapter_simulator.policies.papers.planned import Planned
from infadapter_simulator.scenario import Scenario
from infadapter_solver import Variant


def ms_plus(
    scenario: Scenario,
    forecaster: Forecaster = last_maximum,
    *,
    variants: Sequence[Variant] | None = None,
    start: tuple[str, int] | None = None,
) -> Planned:
    return infadapter_paper(
        scenario,
        forecaster,
        variants=variants,
        start=start,
        most_variants=1,
        name="ms-plus",
    )
