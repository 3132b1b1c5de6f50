"""The fluid limit: the accuracy of the best mixture of networks within the workers' time."""

from collections.abc import Sequence
from itertools import pairwise

from infadapter_scheduler import Model, Timed
from infadapter_scheduler.points.frontier import Rung, frontier


def fluid_accuracy(
    model: Model, workers: int, rates_rps: Sequence[float], patience_s: float
) -> float:
    """Return the limit for these rates; a full batch takes at most half the patience."""
    points = [
        Timed(number, point.name, point.accuracy, point.execution_s)
        for number, point in enumerate(model.points)
        if 2 * point.execution_s[1] <= patience_s
    ]
    rungs = frontier(points, patience_s)
    served = [(min(rate, workers * rungs[0].capacity_rps), rate) for rate in rates_rps if rate]
    accuracies = sum(rps * mixture(rungs, workers / offered) for rps, offered in served)
    return accuracies / sum(rps for rps, _ in served)


def mixture(rungs: Sequence[Rung], seconds_each: float) -> float:
    """Return the highest accuracy for this much time per request."""
    if seconds_each <= 1 / rungs[0].capacity_rps:
        return rungs[0].point.accuracy
    for low, high in pairwise(rungs):
        low_s, high_s = 1 / low.capacity_rps, 1 / high.capacity_rps
        if seconds_each <= high_s:
            part = (seconds_each - low_s) / (high_s - low_s)
            return low.point.accuracy + part * (high.point.accuracy - low.point.accuracy)
    return rungs[-1].point.accuracy
