"""
The newsvendor quantile of a service: how much of the load's errors to keep in reserve for, from
the spec's weights and the price of the capacity for one more request.
"""

import statistics

from infadapter_forecasting.reserve import newsvendor_quantile
from infadapter_operator.domain.service import Service


def reserve_quantile(service: Service, rps: float) -> float:
    """A refused request costs its accuracy; the spec's own quantile is the least."""
    lost = service.objective.accuracy_weight * max(variant.accuracy for variant in service.variants)
    return newsvendor_quantile(
        rps, lost=lost, price=_price_of_a_request(service), least=service.quantile
    )


def _price_of_a_request(service: Service) -> float:
    """What capacity for one more request per second costs, on the variant in the middle."""
    whole = service.objective.price_of(service.budget) or 1.0
    cheapest = [
        min(service.objective.price_of(a.resources) / a.capacity_rps for a in able)
        for variant in service.variants
        if (able := [a for a in variant.allocations if a.capacity_rps > 0])
    ]
    return service.objective.cost_weight * statistics.median(cheapest or [0.0]) / whole
