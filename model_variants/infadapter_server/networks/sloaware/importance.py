"""Node importance tables: for each bucket of inputs, the nodes that matter there, in order.

Learnt from inputs alone, without their labels. A hidden node matters by what it passes on; an
output node by how often it is the full network's answer.
"""

from typing import Any

import numpy as np
import numpy.typing as npt

from infadapter_server.networks.signatures import Floats

Indices = npt.NDArray[np.int32]


def ranked_hidden(
    active: Floats, passed_on: Floats, buckets_of: npt.NDArray[Any], buckets: int
) -> Indices:
    """Rank nodes by mean activation times the norm of their outgoing weights, [buckets, nodes]."""
    means = _means(active * passed_on, buckets_of, buckets)
    return top(means, means.shape[1])


def by_answers(answers: npt.NDArray[Any], bias: Floats) -> Indices:
    """Rank output nodes by frequency as the full network's answer, then by bias."""
    counts = np.bincount(answers, minlength=len(bias))
    return np.lexsort((-bias, -counts)).astype(np.int32)


def top(scores: Floats, most: int) -> Indices:
    """Return the indices of each row's largest scores, in falling order."""
    order = np.argsort(-scores, axis=1, kind="stable")[:, :most]
    return order.astype(np.int32)


def _means(values: Floats, buckets_of: npt.NDArray[Any], buckets: int) -> Floats:
    """Return means [buckets, features]; an empty bucket gets the mean of all inputs."""
    order = np.argsort(buckets_of, kind="stable")
    some, began = np.unique(buckets_of[order], return_index=True)
    counts = np.diff(np.append(began, len(values)))[:, None].astype(np.float32)
    means = np.tile(values.mean(0), (buckets, 1))
    means[some] = np.add.reduceat(values[order], began) / counts
    return means
