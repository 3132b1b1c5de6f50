"""SuperServe's workloads: a steady part plus a bursty one, and a rising rate."""

from collections.abc import Callable, Iterator
from heapq import merge

import numpy as np

from infadapter_scheduler import Arrival
from infadapter_simulator.reproduction.superserve.ladder import SLO_S

NAME = "supernet"
CHUNK = 10_000


def bursty(
    base_rps: float, variant_rps: float, cv2: float, until_s: float, draw: np.random.Generator
) -> Iterator[Arrival]:
    """
    Yield evenly spaced arrivals, and others with gamma-distributed gaps of this squared coefficient
    of variation.
    """
    return arrivals(merge(_even(base_rps, until_s), _gamma(variant_rps, cv2, until_s, draw)))


def rising(
    first_rps: float,
    last_rps: float,
    by_rps2: float,
    cv2: float,
    until_s: float,
    draw: np.random.Generator,
) -> Iterator[Arrival]:
    """
    Yield arrivals at the first rate for the time until counting begins, then at a rate that rises
    by this much per second, then at the last rate. Gaps are gamma-distributed in rescaled time.
    """
    steady_s = until_s / 4

    def rate_rps(at_s: float) -> float:
        return min(last_rps, first_rps + by_rps2 * max(0.0, at_s - steady_s))

    return arrivals(warped(rate_rps, cv2, until_s, draw))


def traced(
    rates_rps: list[float], cv2: float, step_s: float, draw: np.random.Generator
) -> Iterator[Arrival]:
    """Yield the arrivals of a trace of rates, each for one step."""

    def rate_rps(at_s: float) -> float:
        return rates_rps[min(len(rates_rps) - 1, int(at_s / step_s))]

    return arrivals(warped(rate_rps, cv2, step_s * len(rates_rps), draw))


def arrivals(times_s: Iterator[float]) -> Iterator[Arrival]:
    return (Arrival(at_s, NAME, SLO_S) for at_s in times_s)


def warped(
    rate_rps: Callable[[float], float], cv2: float, until_s: float, draw: np.random.Generator
) -> Iterator[float]:
    """Yield arrivals whose gaps have mean one divided by the rate at their beginning."""
    now_s = 0.0
    while True:
        for gap in draw.gamma(1 / cv2, cv2, CHUNK).tolist():
            now_s += gap / max(1e-9, rate_rps(now_s))
            if now_s >= until_s:
                return
            yield now_s


def _even(rate_rps: float, until_s: float) -> Iterator[float]:
    return (number / rate_rps for number in range(int(until_s * rate_rps)))


def _gamma(
    rate_rps: float, cv2: float, until_s: float, draw: np.random.Generator
) -> Iterator[float]:
    return warped(lambda at_s: rate_rps, cv2, until_s, draw)
