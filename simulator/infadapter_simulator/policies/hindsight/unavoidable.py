"""Violations that nobody could avoid, and those for which he must hold more than he ever saw."""

from math import floor
from typing import NamedTuple

import numpy as np

from infadapter_forecasting.overflow import overflow
from infadapter_simulator.policies.hindsight.layers import layers_of
from infadapter_simulator.scenario import Scenario
from infadapter_simulator.simulate import Workload
from infadapter_simulator.world.queues import Floats


class Missed(NamedTuple):
    """As shares of all requests."""

    unavoidable: float
    sudden: float


def missed(scenario: Scenario, workload: Workload) -> Missed:
    """
    Both of a fluid that waits no longer than the SLO.

    `unavoidable`: with the fastest variant always on the whole budget. No policy has fewer that
    keeps to the budget, whether it knows what comes or not, and whatever it gives up for it.

    `sudden`: with pods for the highest rate that was seen one start before, from the history on,
    and no more than the budget holds. It is what who learns from the load alone misses, and no
    bound: who holds a reserve beyond all that he ever saw, or grows what runs in place, has fewer,
    and who gives back what he holds has more.
    """
    counts = np.histogram(workload.arrivals_s, bins=np.arange(workload.seconds + 1))[0]
    requests = np.asarray(counts, dtype=np.float64)
    most_rps = _most_rps(scenario)
    seen = _highest_seen(requests, workload.history_rps, _delay_s(scenario))
    most = np.full(len(requests), most_rps)
    count = max(len(workload.arrivals_s), 1)
    return Missed(
        unavoidable=overflow(requests, most, scenario.slo_s) / count,
        sudden=overflow(requests, np.minimum(seen, most_rps), scenario.slo_s) / count,
    )


def _most_rps(scenario: Scenario) -> float:
    """Of pods of all kinds, each kind as if it had the budget for itself."""
    by_kind: dict[str, float] = {}
    for layer in layers_of(scenario):
        by_kind[layer.kind] = max(float(layer.rps.max()), by_kind.get(layer.kind, 0.0))
    return sum(by_kind.values())


def _delay_s(scenario: Scenario) -> float:
    """From the end of a second until pods can serve that start for it."""
    start_s = min(scenario.start_s(variant.name) for variant in scenario.variants)
    return scenario.scrape_delay_s + start_s


def _highest_seen(requests: Floats, history_rps: Floats, delay_s: float) -> Floats:
    """By second, of the seconds that had ended so long before it began."""
    known = np.concatenate([history_rps, requests])
    highest = np.maximum.accumulate(known)
    last = len(history_rps) + np.arange(len(requests)) - 1 - floor(delay_s)
    return np.where(last >= 0, highest[np.maximum(last, 0)], 0.0)
