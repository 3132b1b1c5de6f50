"""What InfAdapter forecasts from, and what can stand in for its LSTM (lstm_forecaster.py)."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

import numpy as np

from infadapter_simulator.world.queues import Floats

MINUTE_S, MINUTES = 60, 10
SPAN = 10
"""Of the exponentially weighted mean that stands in until ten minutes have been seen."""

Forecaster = Callable[[Floats], float]
"""From the highest rates of the last ten minutes, the latest last, to that of the next one."""


class Network(Protocol):
    def next_maximum(self, maxima: Floats) -> Floats:
        """(windows,) from (windows, 10)."""
        ...


@dataclass(frozen=True, slots=True)
class Learned:
    """A forecaster that has been trained, such as the paper's LSTM."""

    network: Network

    def __call__(self, maxima: Floats) -> float:
        return float(self.network.next_maximum(maxima[None, :])[0])


def last_maximum(maxima: Floats) -> float:
    return float(maxima[-1])


def weighted_mean(maxima: Floats) -> float:
    """As `ewm(span=10).mean()` of pandas ends."""
    weights = (1 - 2 / (SPAN + 1)) ** np.arange(len(maxima) - 1, -1, -1)
    return float((weights * maxima).sum() / weights.sum())


def minute_maxima(rates: Floats) -> Floats:
    """Of whole minutes up to now; of a first one that is not whole, what there is."""
    minutes = max(1, len(rates) // MINUTE_S)
    recent = rates[-minutes * MINUTE_S :]
    return np.array([part.max() for part in np.array_split(recent, minutes)])
