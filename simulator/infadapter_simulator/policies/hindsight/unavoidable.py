"""Violations that nobody could avoid who does not know what comes."""

from math import floor

import numpy as np

from infadapter_simulator.policies.hindsight.layers import layers_of
from infadapter_simulator.scenario import Scenario
from infadapter_simulator.simulate import Workload
from infadapter_simulator.world.queues import Floats


def unavoidable(scenario: Scenario, workload: Workload) -> float:
    """
    The share of all requests that a policy misses whose pods serve, at each moment, the highest
    rate that it had seen one start before, or all that the budget can: the fastest variant on all
    of it. What is above that waits as long as the SLO allows, and is missed beyond.

    It bounds those who hold what they once needed, from the history on, and no more. Who always
    holds more than he ever saw avoids some of these and pays for it; nobody avoids those that are
    above what the budget can. Who gives back what he holds, for accuracy or for cost, has more.
    """
    counts = np.histogram(workload.arrivals_s, bins=np.arange(workload.seconds + 1))[0]
    requests = np.asarray(counts, dtype=np.float64)
    seen = _highest_seen(requests, workload.history_rps, _delay_s(scenario))
    most_rps = max(float(layer.rps.max()) for layer in layers_of(scenario))
    missed = _missed(requests, np.minimum(seen, most_rps), scenario.slo_s)
    return missed / max(len(workload.arrivals_s), 1)


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


def _missed(requests: Floats, rps: Floats, slo_s: float) -> float:
    """Of a fluid: what would wait longer than that at this speed."""
    waiting = missed = 0.0
    for came, able in zip(requests.tolist(), rps.tolist(), strict=True):
        waiting = max(0.0, waiting + came - able)
        beyond = max(0.0, waiting - slo_s * able)
        missed += beyond
        waiting -= beyond
    return missed
