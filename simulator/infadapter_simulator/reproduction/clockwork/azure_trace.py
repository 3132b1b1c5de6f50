"""
A synthetic trace in the shape of Azure Functions' first day of 2019; the trace itself is not
available.

Published about it (Shahrad et al., ATC'20): 45 % of the applications are called at most once an
hour and 81 % at most once a minute. Rates of functions are the quantiles of the lognormal
distribution through these two points, scaled to the total of the experiment; an application has
several functions. Counts are per minute and replayed as Poisson, as by the authors.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from statistics import NormalDist

import numpy as np
from numpy.typing import NDArray

from infadapter_scheduler import Arrival

Floats = NDArray[np.float64]

ONCE_AN_HOUR, ONCE_A_MINUTE = 0.45, 0.81
TIMERS = 0.3
"""
Share of timers among functions called less than once a minute; they arrive at regular intervals.
"""

BURSTINESS, OF_HOT = 0.3, 0.1
"""
Coefficients of variation of a function's rate from minute to minute: assumed. Functions called at
least once a second vary less, as they have many callers.
"""

MINUTE_S = 60.0


@dataclass(frozen=True, slots=True)
class Trace:
    """Rates by function, the hottest first, and the instance that each function calls."""

    rates_rps: Floats
    instances: Sequence[str]
    striped: bool

    def instance_of(self) -> list[str]:
        """
        Return the instance of each function: in blocks the hottest share one, striped they are
        spread.
        """
        functions, instances = len(self.rates_rps), len(self.instances)
        at = np.arange(functions)
        which = at % instances if self.striped else instances * at // functions
        return [self.instances[number] for number in which.tolist()]

    def arrivals(
        self, minutes: float, slo_s: float, draw: np.random.Generator
    ) -> Iterator[Arrival]:
        names = self.instance_of()
        for minute in range(int(np.ceil(minutes))):
            counts = draw.poisson(MINUTE_S * self._rates(minute, draw))
            of = np.repeat(np.arange(len(counts)), counts)
            at_s = MINUTE_S * (minute + draw.random(len(of)))
            order = np.argsort(at_s)
            for now_s, function in zip(at_s[order].tolist(), of[order].tolist(), strict=True):
                if now_s >= MINUTE_S * minutes:
                    return
                yield Arrival(now_s, names[function], slo_s)

    def _rates(self, minute: int, draw: np.random.Generator) -> Floats:
        """Return the rates in a minute: timers occur in their minute only, other rates vary."""
        shape = np.where(self.rates_rps < 1.0, BURSTINESS, OF_HOT) ** -2.0
        rates = self.rates_rps * draw.gamma(shape, 1 / shape, len(self.rates_rps))
        numbers = np.arange(len(rates))
        seldom = (self.rates_rps < 1 / MINUTE_S) & (numbers % 10 < 10 * TIMERS)
        every = np.ceil(1 / (MINUTE_S * np.maximum(self.rates_rps, 1e-9)))
        due = (minute + numbers) % every == 0
        rates[seldom] = np.where(due, self.rates_rps * every, 0.0)[seldom]
        return np.asarray(rates, dtype=np.float64)


def rates_rps(functions: int, total_rps: float) -> Floats:
    """Return the rates of all functions, the hottest first."""
    low, high = (NormalDist().inv_cdf(share) for share in (ONCE_AN_HOUR, ONCE_A_MINUTE))
    sigma = np.log(60) / (high - low)
    at = 1 - (np.arange(functions) + 0.5) / functions
    normal = np.array([NormalDist().inv_cdf(share) for share in at])
    rates = np.exp(sigma * normal)
    return np.asarray(rates * total_rps / rates.sum(), dtype=np.float64)
