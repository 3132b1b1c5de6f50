"""Locality-sensitive hashes: inputs that are alike fall into the same bucket, in microseconds.

Two families. SimHash, the classical one: the signs of random projections of the centred input
(centred, or inputs that are never negative would all share a bucket). A quantiser: the nearest of
many anchors, which follows where inputs are dense (Paulevé, Jégou, Amsaleg 2010 compare both).
"""

from dataclasses import dataclass
from typing import Protocol

import numpy as np
import numpy.typing as npt

from infadapter_server.networks.signatures import Floats
from infadapter_server.networks.sloaware import kernels

Buckets = npt.NDArray[np.int64]

MOST_SEEN = 65_600
"""Limit on the inputs of k-means. Fewer than 40 per bucket give worse buckets (measured); all
200,000 would take minutes."""

_ROUNDS = 6
_CHUNK = 4096


class Hash(Protocol):
    @property
    def buckets(self) -> int: ...

    def of(self, x: Floats) -> int:
        """Return the bucket of one input, once per query."""

    def of_all(self, inputs: Floats) -> Buckets:
        """Return the buckets of inputs [n, features], for training."""


@dataclass(frozen=True, slots=True)
class SimHash:
    """`planes` [bits, features]; `offsets`: each plane's product with the inputs' mean."""

    planes: Floats
    offsets: Floats

    @property
    def buckets(self) -> int:
        return 1 << len(self.planes)

    def of(self, x: Floats) -> int:
        return int(kernels.signs(self.planes, self.offsets, x))

    def of_all(self, inputs: Floats) -> Buckets:
        above = inputs @ self.planes.T > self.offsets
        found: Buckets = above @ (1 << np.arange(len(self.planes)))
        return found


@dataclass(frozen=True, slots=True)
class Quantiser:
    """`anchors` [buckets, features]; `halves`: minus half of each anchor's squared length."""

    anchors: Floats
    halves: Floats

    @classmethod
    def at(cls, anchors: Floats) -> "Quantiser":
        return cls(np.ascontiguousarray(anchors), -0.5 * np.square(anchors).sum(1))

    @property
    def buckets(self) -> int:
        return len(self.anchors)

    def of(self, x: Floats) -> int:
        return int(kernels.best(self.anchors, self.halves, x)[0])

    def of_all(self, inputs: Floats) -> Buckets:
        parts = np.array_split(inputs, -(-len(inputs) // _CHUNK))
        found = [(part @ self.anchors.T + self.halves).argmax(1) for part in parts]
        return np.concatenate(found)


def simhash(inputs: Floats, bits: int, seed: int) -> SimHash:
    draw = np.random.default_rng([seed, bits])
    planes = draw.standard_normal((bits, inputs.shape[1]), np.float32)
    return SimHash(planes, planes @ inputs.mean(0))


def quantiser(inputs: Floats, buckets: int, seed: int) -> Quantiser:
    """Run Lloyd's k-means on a sample of inputs; an anchor without inputs keeps its place."""
    draw = np.random.default_rng([seed, buckets])
    inputs = draw.permutation(inputs)[:MOST_SEEN]
    found = Quantiser.at(inputs[:buckets])
    for _ in range(_ROUNDS):
        found = Quantiser.at(_means(inputs, found.of_all(inputs), found.anchors))
    return found


def directions(rows: Floats, buckets: int, seed: int) -> tuple[Floats, Buckets]:
    """Anchors of length one for rows by their centred direction, and each row's bucket.

    For nodes rather than inputs: rows of frequent labels are long, and by distance alone all rare
    ones would share the few buckets near zero.
    """
    unit = rows / np.linalg.norm(rows, axis=1, keepdims=True)
    unit -= unit.mean(0)
    unit /= np.linalg.norm(unit, axis=1, keepdims=True)
    found = quantiser(unit, buckets, seed)
    lengths = np.linalg.norm(found.anchors, axis=1, keepdims=True)
    return found.anchors / np.maximum(lengths, 1e-9), found.of_all(unit)


def _means(inputs: Floats, of: Buckets, otherwise: Floats) -> Floats:
    order = np.argsort(of, kind="stable")
    some, began = np.unique(of[order], return_index=True)
    means = otherwise.copy()
    counts = np.diff(np.append(began, len(of)))
    means[some] = np.add.reduceat(inputs[order], began) / counts[:, None]
    return means
