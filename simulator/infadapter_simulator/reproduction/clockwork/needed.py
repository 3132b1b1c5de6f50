"""
Number of executors that a load needs if each batch takes all requests that arrive while it may
wait.
"""

from collections import defaultdict
from collections.abc import Iterable, Mapping

import numpy as np

from infadapter_scheduler import Model

WAIT_S = 0.085
"""Longest time that the first request of a batch can wait, about, of an SLO of 100 ms."""


def executors_needed(models: Mapping[str, Model], rates_rps: Iterable[tuple[str, float]]) -> float:
    """
    Return the number of executors. Costs of batch sizes between measured ones are interpolated.
    """
    total: defaultdict[str, float] = defaultdict(float)
    for name, rate_rps in rates_rps:
        total[name] += rate_rps
    return sum(rate_rps * _each_s(models[name], rate_rps) for name, rate_rps in total.items())


def _each_s(model: Model, rate_rps: float) -> float:
    sizes, seconds = zip(*sorted(model.execution_s.items()), strict=True)
    batch = min(1 + rate_rps * WAIT_S, sizes[-1])
    return float(min(np.interp(batch, sizes, seconds) / batch, seconds[0]))
