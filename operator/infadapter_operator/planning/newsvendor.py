"""
The newsvendor quantile of a service: the quantile of the forecast errors up to which reserve pays,
from the spec's weights and the price of capacity for one more request.
"""

import statistics

from infadapter_forecasting.reserve import newsvendor_quantile
from infadapter_operator.domain.service import Priced, Service
from infadapter_solver.problem import Objective, Variant


def reserve_quantile(service: Service, rps: float) -> float:
    """
    Return the quantile for the reserve. A refused request costs its accuracy; the spec's own
    quantile is the lower bound.
    """
    lost = service.objective.accuracy_weight * max(variant.accuracy for variant in service.variants)
    return newsvendor_quantile(
        rps, lost=lost, price=_price_of_a_request(service), least=service.quantile
    )


def _price_of_a_request(service: Service) -> float:
    """Return the price of capacity for one more request per second, on the median variant."""
    derived, objective = service.derived.of(service.variants), service.objective
    if derived.priced is None or derived.priced.objective != objective:
        derived.priced = Priced(objective, _price(objective, service.variants))
    return derived.priced.of_a_request


def _price(objective: Objective, variants: tuple[Variant, ...]) -> float:
    whole = objective.price_of(objective.budget) or 1.0
    cheapest = [
        min(objective.price_of(a.resources) / a.capacity_rps for a in able)
        for variant in variants
        if (able := [a for a in variant.allocations if a.capacity_rps > 0])
    ]
    return objective.cost_weight * statistics.median(cheapest or [0.0]) / whole
