"""
Shared memory for tensors: a few slots of equal size that two processes map.

It is a memfd, which has no name: nothing is left behind when a process is killed, and it counts as
the pod's memory. Named segments are in /dev/shm, of which a container has 64 MiB by default.
"""

import mmap
import os
from collections.abc import Iterable
from math import prod

import numpy as np

from infadapter_server.networks.signatures import Floats
from infadapter_server.networks.stored import Stored

FLOAT_BYTES = 4


class Slots:
    """`count` slots, each for the inputs of one batch and then for its outputs."""

    def __init__(self, handle: int, count: int, slot_bytes: int) -> None:
        """Map the memory of a file descriptor, which isn't needed afterwards."""
        self.count, self.slot_bytes = count, slot_bytes
        self._memory = mmap.mmap(handle, count * _in_pages(slot_bytes))

    def view(self, slot: int, shape: tuple[int, ...]) -> Floats:
        at = slot * _in_pages(self.slot_bytes)
        return np.ndarray(shape, np.float32, buffer=self._memory, offset=at)

    def fit(self, shape: tuple[int, ...]) -> bool:
        return prod(shape) * FLOAT_BYTES <= self.slot_bytes

    def write(self, slot: int, rows: tuple[Floats, ...], shape: tuple[int, ...]) -> None:
        batch, at = self.view(slot, shape), 0
        for row in rows:
            batch[at : at + len(row)] = row
            at += len(row)


def new_memory(count: int, slot_bytes: int) -> int:
    """Return a file descriptor of zeros, which take no memory before they are written."""
    handle = os.memfd_create("infadapter-tensors")
    os.ftruncate(handle, count * _in_pages(slot_bytes))
    return handle


def slot_bytes_for(models: Iterable[Stored]) -> int:
    """Return the larger of inputs and outputs of the largest batch of these models."""
    shapes = (
        (max(stored.batch_sizes), shape)
        for stored in models
        for shape in (stored.signature.input_shape, stored.signature.output_shape)
    )
    return max(FLOAT_BYTES * size * prod(shape) for size, shape in shapes)


def joint_shape(rows: tuple[Floats, ...]) -> tuple[int, ...] | None:
    """Return the shape of a batch of these rows; None if their shapes differ, or there are none."""
    image_shapes = {row.shape[1:] for row in rows}
    if len(image_shapes) != 1:
        return None
    return (sum(map(len, rows)), *image_shapes.pop())


def _in_pages(size: int) -> int:
    return -(-size // mmap.PAGESIZE) * mmap.PAGESIZE
