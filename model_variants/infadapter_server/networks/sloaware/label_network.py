"""A network of many labels whose output layer computes only the nodes that a query may need.

The hidden layer is dense. A core of nodes that are often the answer is computed for every input.
All others lie in buckets, by the direction of their weights; the hidden output is hashed by the
same anchors, and buckets are computed nearest first. That ends at the requested number of nodes, or
once the best logit exceeds the next bucket's key by a given gap. Rows are in the order of core and
buckets, so each of these is one contiguous block.
"""

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from infadapter_server.networks.signatures import Floats
from infadapter_server.networks.sloaware import hashing, importance, kernels

Indices = npt.NDArray[np.int32]

CORE = 0.02
"""Share of nodes that are computed for every input, since a few labels are most answers."""

BUCKETS = 0.02
"""Buckets per node: a query's hash costs a fiftieth of the dense layer."""

FEWEST = 50
NO_LIMIT = 2**31 - 1
NO_GAP = float("inf")


@dataclass(frozen=True, slots=True)
class Weights:
    """A dense network: x → ReLU → a logit for each label."""

    hidden: Floats
    hidden_bias: Floats
    rows: Floats
    bias: Floats

    @property
    def labels(self) -> int:
        return len(self.rows)

    def hidden_of(self, inputs: Floats) -> Floats:
        hidden: Floats = np.maximum(inputs @ self.hidden.T + self.hidden_bias, 0)
        return hidden

    def answers(self, inputs: Floats) -> npt.NDArray[np.int64]:
        """Return the full network's answers to many inputs."""
        some = np.array_split(self.hidden_of(inputs), -(-len(inputs) // 256))
        return np.concatenate([(h @ self.rows.T + self.bias).argmax(1) for h in some])

    @property
    def nbytes(self) -> int:
        return sum(a.nbytes for a in (self.hidden, self.hidden_bias, self.rows, self.bias))


class Answer(NamedTuple):
    label: int
    nodes: int  # computed nodes of the output layer
    gap: float  # between the best logit and the next bucket's key


class Steps(NamedTuple):
    """The interim result after each bucket of one walk."""

    labels: Indices
    gaps: Floats
    nodes: Indices


@dataclass(frozen=True, slots=True)
class Tables:
    """Tables that select a query's nodes; learnt without labels.

    `order` [labels]: the core's nodes, the most important first, then the buckets'. Block 0, from
    `begins[0]` on, is the core. `anchors`, `offsets`: a bucket's key for a hidden output, in
    the units of logits.
    """

    order: Indices
    begins: Indices
    anchors: Floats
    offsets: Floats

    @property
    def core(self) -> int:
        return int(self.begins[1])

    @property
    def nbytes(self) -> int:
        return sum(a.nbytes for a in (self.order, self.begins, self.anchors, self.offsets))


def learnt(weights: Weights, inputs: Floats, answers: npt.NDArray[np.int64]) -> Tables:
    """Learn tables from inputs and the full network's answers, without labels."""
    ranked = importance.by_answers(answers, weights.bias)
    core, others = np.split(ranked, [max(1, round(CORE * weights.labels))])
    buckets = max(2, round(BUCKETS * weights.labels))
    anchors, of = hashing.directions(weights.rows[others], buckets, seed=1)
    place = np.argsort(of, kind="stable")
    sizes = np.bincount(of, minlength=buckets)
    begins = np.cumsum(np.concatenate([[0, len(core)], sizes])).astype(np.int32)
    order = np.concatenate([core, others[place]])
    hidden = weights.hidden_of(inputs)
    mean = hidden.mean(0)
    bucket_of = np.full(weights.labels, -1)
    bucket_of[others] = of
    slope, level = _in_logits(weights, hidden, mean, answers, anchors, bucket_of)
    scaled = np.ascontiguousarray(slope * anchors, np.float32)
    return Tables(order, begins, scaled, (level - scaled @ mean).astype(np.float32))


def _in_logits(
    weights: Weights,
    hidden: Floats,
    mean: Floats,
    answers: npt.NDArray[np.int64],
    anchors: Floats,
    bucket_of: npt.NDArray[np.int64],
) -> tuple[float, float]:
    """Fit the answer's logit as a linear function of the input's key for the answer's bucket."""
    some = np.flatnonzero(bucket_of[answers] >= 0)
    if len(some) < FEWEST:
        return 1.0, 0.0
    logits = (hidden[some] * weights.rows[answers[some]]).sum(1) + weights.bias[answers[some]]
    near = ((hidden[some] - mean) * anchors[bucket_of[answers[some]]]).sum(1)
    slope, level = np.polyfit(near, logits, 1)
    return max(float(slope), 1e-3), float(level)


class LabelNetwork:
    """Network for use by one thread, since queries share its scratch memory."""

    def __init__(self, weights: Weights, tables: Tables) -> None:
        self.weights, self.tables = weights, tables
        self._rows = np.ascontiguousarray(weights.rows[tables.order])
        self._bias = np.ascontiguousarray(weights.bias[tables.order])
        buckets = len(tables.anchors)
        self._hidden = np.empty(len(weights.hidden), np.float32)
        self._keys, self._heap = np.empty(buckets, np.float32), np.empty(buckets, np.int32)
        self._found, self._nodes = np.empty(buckets + 1, np.int32), np.empty(buckets + 1, np.int32)
        self._gaps = np.empty(buckets + 1, np.float32)

    @property
    def nbytes(self) -> int:
        """The rows are held twice: as they were, and in the order of the tables."""
        return self.weights.nbytes + self._rows.nbytes + self.tables.nbytes

    def full(self, x: Floats) -> int:
        """Return the answer of the dense output layer."""
        return int(self.tables.order[kernels.best(self._rows, self._bias, self._activated(x))[0]])

    def answer(self, x: Floats, most: int = NO_LIMIT, gap: float = NO_GAP) -> Answer:
        last = self._walk(x, most, gap) - 1
        label = self.tables.order[self._found[last]]
        return Answer(int(label), int(self._nodes[last]), float(self._gaps[last]))

    def steps(self, x: Floats, most: int = NO_LIMIT) -> Steps:
        taken = self._walk(x, most, NO_GAP)
        labels = self.tables.order[self._found[:taken]]
        return Steps(labels, self._gaps[:taken].copy(), self._nodes[:taken].copy())

    def _activated(self, x: Floats) -> Floats:
        kernels.rectified(self.weights.hidden, self.weights.hidden_bias, x, self._hidden)
        return self._hidden

    def _walk(self, x: Floats, most: int, gap: float) -> int:
        hidden, tables = self._activated(x), self.tables
        kernels.dense(tables.anchors, tables.offsets, hidden, self._keys)
        return int(
            kernels.walk(
                self._rows,
                self._bias,
                tables.begins,
                hidden,
                self._keys,
                self._heap,
                most,
                gap,
                self._found,
                self._gaps,
                self._nodes,
            )
        )
