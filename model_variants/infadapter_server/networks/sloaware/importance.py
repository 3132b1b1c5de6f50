"""Node importance tables: for each bucket of inputs, the nodes that matter there, in order.

Learnt from inputs alone, without their labels. How much an output matters in a bucket is how likely
its logit is to be the largest there: its mean over the bucket's inputs, which is the logit of their
mean, and some of its standard deviation. A hidden node matters by what it passes on.
"""

from typing import Any

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float32]
Indices = npt.NDArray[np.int32]

SPREADS = 1.5
"""Standard deviations that are added to the mean."""

PRIOR = 5.0
"""Inputs of all kinds that a bucket's variance counts as its own: few say nothing of it."""

_CHUNK = 32  # buckets ranked at once


def ranked_outputs(
    rows: Floats, bias: Floats, hidden: Floats, buckets_of: npt.NDArray[Any], buckets: int, most: int
) -> Indices:
    """[buckets, most]: output nodes, the most important first; a bucket nobody is in has all's."""
    means, variances = _moments(hidden, buckets_of, buckets)
    squares = np.square(rows)
    ranked = np.empty((buckets, most), np.int32)
    for at in range(0, buckets, _CHUNK):
        some = slice(at, at + _CHUNK)
        scores = means[some] @ rows.T + bias
        scores += np.float32(SPREADS) * np.sqrt(variances[some] @ squares.T)
        ranked[some] = top(scores, most)
    return ranked


def ranked_hidden(
    active: Floats, passed_on: Floats, buckets_of: npt.NDArray[Any], buckets: int
) -> Indices:
    """[buckets, nodes]: by the mean of a node's activation times the length of what it weighs."""
    means, _ = _moments(active * passed_on, buckets_of, buckets)
    return top(means, means.shape[1])


def top(scores: Floats, most: int) -> Indices:
    """The places of each row's largest scores, in falling order."""
    if most < scores.shape[1]:
        places = np.argpartition(-scores, most, axis=1)[:, :most]
    else:
        places = np.broadcast_to(np.arange(scores.shape[1]), scores.shape)
    order = np.argsort(-np.take_along_axis(scores, places, 1), axis=1, kind="stable")
    return np.take_along_axis(places, order, 1).astype(np.int32)


def _moments(
    values: Floats, buckets_of: npt.NDArray[Any], buckets: int
) -> tuple[Floats, Floats]:
    """Means and variances by bucket, [buckets, features]; all's where there are none."""
    order = np.argsort(buckets_of, kind="stable")
    some, began = np.unique(buckets_of[order], return_index=True)
    counts = np.diff(np.append(began, len(values)))[:, None].astype(np.float32)
    ordered = values[order]
    means = np.tile(values.mean(0), (buckets, 1))
    variances = np.tile(values.var(0), (buckets, 1))
    mine = np.add.reduceat(ordered, began) / counts
    spread = np.maximum(np.add.reduceat(np.square(ordered), began) / counts - np.square(mine), 0)
    means[some] = mine
    prior = np.float32(PRIOR)
    variances[some] = (spread * counts + prior * variances[some]) / (counts + prior)
    return means, variances
