"""Products of chosen rows with one input: what a query costs, compiled, single-threaded.

A row is the weights of one node, contiguous, so choosing nodes is a gather on one side only. NumPy
must copy the chosen rows before it can multiply them (measured: half as fast), and finds the
largest logit in another pass; here a row is read once. See docs/decisions/0027.
"""

import numba
import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float32]
Indices = npt.NDArray[np.int32]

_LOWEST = np.float32(-np.inf)
_FAST = {"reassoc", "contract", "nsz"}  # sums in any order; infinities stay what they are

_compiled = numba.njit(cache=True, fastmath=_FAST, nogil=True)


@_compiled
def product(row: Floats, x: Floats) -> np.float32:
    total = np.float32(0)
    for d in range(x.shape[0]):
        total += row[d] * x[d]
    return total


@_compiled
def dense(rows: Floats, bias: Floats, x: Floats, out: Floats) -> None:
    """Every node's output, into `out`."""
    for j in range(rows.shape[0]):
        out[j] = product(rows[j], x) + bias[j]


@_compiled
def rectified(rows: Floats, bias: Floats, x: Floats, out: Floats) -> None:
    """A dense layer and its ReLU, into `out`."""
    for j in range(rows.shape[0]):
        out[j] = max(product(rows[j], x) + bias[j], np.float32(0))


@_compiled
def best(rows: Floats, bias: Floats, x: Floats) -> tuple[int, float]:
    """The node with the largest output of all, and that output: the dense output layer."""
    found, largest = -1, _LOWEST
    for j in range(rows.shape[0]):
        total = product(rows[j], x) + bias[j]
        if total > largest:
            found, largest = j, total
    return found, largest


@_compiled
def best_of(rows: Floats, bias: Floats, x: Floats, nodes: Indices) -> tuple[int, float]:
    """The one of these with the largest output."""
    found, largest = -1, _LOWEST
    for j in nodes:
        total = product(rows[j], x) + bias[j]
        if total > largest:
            found, largest = j, total
    return found, largest


@_compiled
def signs(planes: Floats, offsets: Floats, x: Floats) -> int:
    """Bit i is set where the input lies above plane i."""
    bits = 0
    for i in range(planes.shape[0]):
        if product(planes[i], x) > offsets[i]:
            bits |= 1 << i
    return bits


@_compiled
def sink(heap: Indices, size: int, at: int, keys: Floats) -> None:
    """Restore a heap whose largest key is first, where the entry `at` may be too small."""
    moved = heap[at]
    while 2 * at + 1 < size:
        child = 2 * at + 1
        if child + 1 < size and keys[heap[child + 1]] > keys[heap[child]]:
            child += 1
        if keys[moved] >= keys[heap[child]]:
            break
        heap[at] = heap[child]
        at = child
    heap[at] = moved


@_compiled
def walk(
    rows: Floats,
    bias: Floats,
    x: Floats,
    keys: Floats,
    heap: Indices,
    lists: Indices,
    seen: Indices,
    mark: int,
    most: int,
    gap: float,
    found: Indices,
    gaps: Floats,
    nodes: Indices,
) -> int:
    """Compute the nodes of the nearest buckets, one bucket after another; how many buckets.

    It ends with `most` nodes, or when the largest output so far exceeds the next bucket's key by
    `gap`. What was found after each bucket, by how much, and of how many nodes, is written down.
    """
    buckets = keys.shape[0]
    for i in range(buckets):
        heap[i] = i
    for i in range(buckets // 2 - 1, -1, -1):
        sink(heap, buckets, i, keys)
    chosen, largest, computed, probes = -1, _LOWEST, 0, 0
    while probes < found.shape[0] and buckets > 0:
        bucket = heap[0]
        buckets -= 1
        heap[0] = heap[buckets]
        sink(heap, buckets, 0, keys)
        for j in lists[bucket]:
            if seen[j] == mark or computed == most:
                continue
            seen[j] = mark
            computed += 1
            total = product(rows[j], x) + bias[j]
            if total > largest:
                chosen, largest = j, total
        next_key = keys[heap[0]] if buckets > 0 else _LOWEST
        found[probes], gaps[probes], nodes[probes] = chosen, largest - next_key, computed
        probes += 1
        if computed == most or largest - next_key >= gap:
            break
    return probes
