"""How many executors a load needs, were each batch to take all that comes while it may wait."""

from collections import defaultdict
from collections.abc import Iterable, Mapping

import numpy as np

from infadapter_scheduler import Model

WAIT_S = 0.085
"""Of an SLO of 100 ms, the most that the first of a batch can wait, about."""


def executors_needed(models: Mapping[str, Model], rates_rps: Iterable[tuple[str, float]]) -> float:
    """Sizes between those that are served are taken to cost what lies between."""
    total: defaultdict[str, float] = defaultdict(float)
    for name, rate_rps in rates_rps:
        total[name] += rate_rps
    return sum(rate_rps * _each_s(models[name], rate_rps) for name, rate_rps in total.items())


def _each_s(model: Model, rate_rps: float) -> float:
    sizes, seconds = zip(*sorted(model.execution_s.items()), strict=True)
    batch = min(1 + rate_rps * WAIT_S, sizes[-1])
    return float(min(np.interp(batch, sizes, seconds) / batch, seconds[0]))
