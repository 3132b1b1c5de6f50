"""What pods with operating points serve and gain, as arrays by size."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from infadapter_profiles.sizes import Segment

Floats = NDArray[np.float64]


def points_of(of_pod: Sequence[Sequence[Segment]]) -> tuple[Floats, Floats]:
    """Return, for a pod of each size, the rate at each of its points, and accuracy × rate."""
    most = max(map(len, of_pod))
    each = [[*segments, *[Segment(0.0, 0.0)] * (most - len(segments))] for segments in of_pod]
    rps, accuracy = np.moveaxis(np.array(each), 2, 0)
    return rps.cumsum(axis=1), (rps * accuracy).cumsum(axis=1)


def served_at(of_pod: Sequence[Sequence[Segment]], accuracies: Sequence[float]) -> Floats:
    """Return the most that a pod of each size serves without falling below each mean accuracy."""
    found = [[_most_at(segments, accuracy) for accuracy in accuracies] for segments in of_pod]
    return np.array(found).reshape(len(of_pod), len(accuracies))


def _most_at(segments: Sequence[Segment], accuracy: float) -> float:
    rps = gained = 0.0
    for more_rps, marginal in segments:
        if gained + more_rps * marginal < accuracy * (rps + more_rps):
            return rps + max(0.0, gained - accuracy * rps) / (accuracy - marginal)
        rps, gained = rps + more_rps, gained + more_rps * marginal
    return rps


def filled(rates: Sequence[Floats], gains: Sequence[Floats], demand_rps: float) -> Floats:
    """
    Return accuracy × rate by row when the demand fills the segments of all targets in the order of
    marginal accuracy. `rates` and `gains` are arrays (row, point) by target.
    """
    rps = np.concatenate([np.diff(each, prepend=0.0) for each in rates], axis=1)
    more = np.concatenate([np.diff(each, prepend=0.0) for each in gains], axis=1)
    marginal = np.divide(more, rps, out=np.zeros_like(more), where=rps > 0)
    order = np.argsort(-marginal, axis=1)
    served = np.minimum(np.take_along_axis(rps, order, 1).cumsum(axis=1), demand_rps)
    taken = np.diff(served, prepend=0.0)
    found: Floats = (taken * np.take_along_axis(marginal, order, 1)).sum(axis=1)
    return found
