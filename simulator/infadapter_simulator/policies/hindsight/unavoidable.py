"""
Violations that no policy can avoid, and those that only a reserve beyond every observed rate
avoids.
"""

from math import floor
from typing import NamedTuple

import numpy as np

from infadapter_forecasting.overflow import overflow
from infadapter_simulator.policies.hindsight.layers import layers_of
from infadapter_simulator.scenario import Scenario
from infadapter_simulator.simulate import Workload
from infadapter_simulator.world.queues import Floats


class Missed(NamedTuple):
    """Shares of all requests."""

    unavoidable: float
    sudden: float


def missed(scenario: Scenario, workload: Workload) -> Missed:
    """
    Return both for a fluid that waits no longer than the SLO.

    `unavoidable`: with the fastest variant always on the whole budget. No policy within the budget
    has fewer, whether it knows the future or not, and whatever it sacrifices.

    `sudden`: with pods for the highest rate observed up to one start time ago, the history
    included, within the budget. This is what a policy misses that learns from the load alone. It is
    no bound: a policy with a reserve beyond every observed rate, or one that resizes pods in place,
    has fewer, and one that scales down has more.
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
    """Return the rate of pods of all kinds, as if each kind had the whole budget."""
    by_kind: dict[str, float] = {}
    for layer in layers_of(scenario):
        by_kind[layer.kind] = max(float(layer.rps.max()), by_kind.get(layer.kind, 0.0))
    return sum(by_kind.values())


def _delay_s(scenario: Scenario) -> float:
    """Return the time from the end of a second until pods started for it can serve, s."""
    start_s = min(scenario.start_s(variant.name) for variant in scenario.variants)
    return scenario.scrape_delay_s + start_s


def _highest_seen(requests: Floats, history_rps: Floats, delay_s: float) -> Floats:
    """Return by second the highest rate of the seconds that ended at least `delay_s` before it."""
    known = np.concatenate([history_rps, requests])
    highest = np.maximum.accumulate(known)
    last = len(history_rps) + np.arange(len(requests)) - 1 - floor(delay_s)
    return np.where(last >= 0, highest[np.maximum(last, 0)], 0.0)
