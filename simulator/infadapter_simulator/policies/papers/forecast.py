"""InfAdapter's forecaster inputs, and substitutes for its LSTM (lstm_forecaster.py)."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

import numpy as np

from infadapter_simulator.world.queues import Floats

MINUTE_S, MINUTES = 60, 10
SPAN = 10
"""Span of the exponentially weighted mean used until ten minutes have been observed."""

Forecaster = Callable[[Floats], float]
"""Maps the highest rates of the last ten minutes, the latest last, to that of the next minute."""


class Network(Protocol):
    def next_maximum(self, maxima: Floats) -> Floats:
        """Map (windows, 10) to (windows,)."""
        ...


@dataclass(frozen=True, slots=True)
class Learned:
    """A trained forecaster, such as the paper's LSTM."""

    network: Network

    def __call__(self, maxima: Floats) -> float:
        return float(self.network.next_maximum(maxima[None, :])[0])


def last_maximum(maxima: Floats) -> float:
    return float(maxima[-1])


def weighted_mean(maxima: Floats) -> float:
    """Return the last value of pandas' `ewm(span=10).mean()`."""
    weights = (1 - 2 / (SPAN + 1)) ** np.arange(len(maxima) - 1, -1, -1)
    return float((weights * maxima).sum() / weights.sum())


def minute_maxima(rates: Floats) -> Floats:
    """Return the maxima of whole minutes up to now; of a partial first minute, that of its part."""
    minutes = max(1, len(rates) // MINUTE_S)
    recent = rates[-minutes * MINUTE_S :]
    return np.array([part.max() for part in np.array_split(recent, minutes)])
