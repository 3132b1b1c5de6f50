"""Baselines for the node activators, with the same kernels."""

from typing import Any

import numpy as np
import numpy.typing as npt

from infadapter_server.networks.signatures import Floats
from infadapter_server.networks.sloaware import hashing, importance, kernels
from infadapter_server.networks.sloaware.label_network import (
    LabelNetwork,
    Tables,
    Weights,
)
from infadapter_server.networks.sloaware.labels import Labels

BITS = 10


class Chosen:
    """
    Always computes the same packed nodes: a static ranking, or a network without the other nodes.
    """

    def __init__(self, weights: Weights, nodes: Labels) -> None:
        self._weights, self._nodes = weights, nodes
        self._rows, self._bias = weights.rows[nodes], weights.bias[nodes]
        self._hidden = np.empty(len(weights.hidden), np.float32)

    def __call__(self, x: Floats) -> int:
        kernels.rectified(self._weights.hidden, self._weights.hidden_bias, x, self._hidden)
        return int(self._nodes[kernels.best(self._rows, self._bias, self._hidden)[0]])


def static(weights: Weights, answers: Labels, nodes: int) -> Chosen:
    return Chosen(weights, importance.by_answers(answers, weights.bias)[:nodes].astype(np.int64))


def random(weights: Weights, nodes: int, seed: int) -> Chosen:
    draw = np.random.default_rng(seed)
    return Chosen(weights, np.sort(draw.choice(weights.labels, nodes, replace=False)))


def inverted_file(weights: Weights, cells: int) -> LabelNetwork:
    """
    Build the textbook index: k-means over rows and biases, cells ranked by their mean's logit.
    """
    augmented = np.concatenate([weights.rows, weights.bias[:, None]], 1)
    found = hashing.quantiser(augmented, cells, seed=1)
    of = found.of_all(augmented)
    anchors = np.ascontiguousarray(found.anchors[:, :-1])
    return LabelNetwork(
        weights, _by_bucket(of, np.arange(len(of)), 0, anchors, found.anchors[:, -1])
    )


def inverted_file_and_core(weights: Weights, tables: Tables) -> LabelNetwork:
    """Build the same for the nodes outside the core, which is computed first."""
    core, others = np.split(tables.order, [tables.core])
    augmented = np.concatenate([weights.rows, weights.bias[:, None]], 1)[others]
    found = hashing.quantiser(augmented, len(tables.anchors), seed=1)
    of = np.concatenate([np.full(len(core), -1), found.of_all(augmented)])
    anchors = np.ascontiguousarray(found.anchors[:, :-1])
    return LabelNetwork(
        weights, _by_bucket(of, tables.order, len(core), anchors, found.anchors[:, -1])
    )


def by_signs(weights: Weights, tables: Tables, mean: Floats) -> LabelNetwork:
    """Build the same core with SimHash buckets of the rows, nearest sign patterns first."""
    core, others = np.split(tables.order, [tables.core])
    rows = weights.rows[others]
    simhash = hashing.simhash(rows, BITS, seed=1)
    of = simhash.of_all(rows)
    patterns = 2 * (np.arange(simhash.buckets)[:, None] >> np.arange(BITS) & 1) - 1
    anchors = (patterns @ simhash.planes).astype(np.float32)
    order = np.concatenate([core, others])
    of_all = np.concatenate([np.full(len(core), -1), of])
    return LabelNetwork(weights, _by_bucket(of_all, order, len(core), anchors, -anchors @ mean))


def _by_bucket(
    of: Labels, nodes: npt.NDArray[Any], core: int, anchors: Floats, offsets: Floats
) -> Tables:
    place = np.argsort(of, kind="stable")
    sizes = np.bincount(of[of >= 0], minlength=len(anchors))
    begins = np.cumsum(np.concatenate([[0, core], sizes])).astype(np.int32)
    offsets = np.ascontiguousarray(offsets, np.float32)
    return Tables(nodes[place].astype(np.int32), begins, anchors, offsets)
