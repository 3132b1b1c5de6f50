"""Products of chosen rows with one input: what a query costs, compiled, single-threaded.

A row is the weights of one node, contiguous, so choosing nodes is a gather on one side only. NumPy
must copy the chosen rows before it can multiply them (measured: half as fast), and finds the
largest logit in another pass; here a row is read once. See docs/decisions/0027.
"""

from collections.abc import Callable
from typing import Any

import numba
import numpy as np
import numpy.typing as npt

from infadapter_server.networks.signatures import Floats

Indices = npt.NDArray[np.int32]

_LOWEST = np.float32(-np.inf)
_FAST = {"reassoc", "contract", "nsz"}  # sums in any order; infinities stay what they are


def _compiled(function: Callable[..., Any]) -> Any:
    """Compile with a cache, or without one where numba can't write it (read-only containers)."""
    try:
        return numba.njit(cache=True, fastmath=_FAST, nogil=True)(function)
    except RuntimeError:
        return numba.njit(fastmath=_FAST, nogil=True)(function)


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
def best(rows: Floats, bias: Floats, x: Floats) -> tuple[int, np.float32]:
    """The node with the largest output of all, and that output: the dense output layer."""
    found, largest = -1, _LOWEST
    for j in range(rows.shape[0]):
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
    begins: Indices,
    x: Floats,
    keys: Floats,
    heap: Indices,
    most: int,
    gap: float,
    found: Indices,
    gaps: Floats,
    nodes: Indices,
) -> int:
    """Compute the core's nodes, then the nearest buckets' in turn; return the number of steps.

    Block 0 of the rows is the core, block b + 1 is bucket b. It ends at `most` nodes, or when the
    largest output exceeds the next bucket's key by `gap`. For each step, `found`, `gaps` and
    `nodes` receive the best node, its lead over the next key and the number of computed nodes.
    """
    buckets = keys.shape[0]
    for i in range(buckets):
        heap[i] = i
    for i in range(buckets // 2 - 1, -1, -1):
        sink(heap, buckets, i, keys)
    chosen, largest, computed, steps, block = -1, _LOWEST, 0, 0, 0
    while True:
        first = begins[block]
        last = min(begins[block + 1], first + most - computed)
        for j in range(first, last):
            total = product(rows[j], x) + bias[j]
            if total > largest:
                chosen, largest = j, total
        computed += last - first
        above = largest - keys[heap[0]] if buckets > 0 else np.float32(np.inf)
        found[steps], gaps[steps], nodes[steps] = chosen, above, computed
        steps += 1
        if computed == most or above >= gap or buckets == 0 or steps == found.shape[0]:
            return steps
        block = heap[0] + 1
        buckets -= 1
        heap[0] = heap[buckets]
        sink(heap, buckets, 0, keys)


@_compiled
def hidden_sum(
    rows: Floats, bias: Floats, onward: Floats, x: Floats, nodes: Indices, out: Floats
) -> None:
    """Add these hidden nodes' contributions to `out`; an inactive node costs only its own row."""
    for j in nodes:
        active = product(rows[j], x) + bias[j]
        if active > 0:
            for c in range(out.shape[0]):
                out[c] += active * onward[j, c]


@_compiled
def hidden_sum_of_all(rows: Floats, bias: Floats, onward: Floats, x: Floats, out: Floats) -> None:
    """Add all hidden nodes' contributions to `out`, by the same loop as `hidden_sum`."""
    for j in range(rows.shape[0]):
        active = product(rows[j], x) + bias[j]
        if active > 0:
            for c in range(out.shape[0]):
                out[c] += active * onward[j, c]
