"""
Measure SUSHI's latency table: SubNets on this CPU, with each SubGraph's copies kept.

Times are the thread's CPU time, since wall-clock time would include other processes' work. With one
thread on an idle machine both are equal.
"""

import time
from collections.abc import Callable, Mapping, Sequence
from copy import copy
from dataclasses import dataclass, field

import numpy as np
import torch
from torch import Tensor

from infadapter_scheduler.subgraphs import (
    BackEnd,
    LatencyTable,
    Slice,
    Slices,
    SubGraph,
    SubNet,
    prefix,
    vector,
)
from infadapter_server.networks.subgraphs.packed import PackedSlices
from infadapter_server.networks.subgraphs.resnet50 import largest, random_weights, run

WEIGHT_BYTES = 4


@dataclass(frozen=True, slots=True)
class Shape:
    """A SubNet of OFA-ResNet50, as its slice of each layer."""

    name: str
    accuracy: float
    parts: Slices
    pixels: int


@dataclass(slots=True)
class OnCpu:
    """SubNets that share random weights, and a budget for packed copies of them."""

    shapes: Sequence[Shape]
    budget_bytes: int
    subgraphs: list[Slices] = field(init=False)
    _weights: Mapping[int, Tensor] = field(init=False)
    _packed: PackedSlices = field(init=False)
    _inputs: list[Tensor] = field(init=False)

    def __post_init__(self) -> None:
        torch.set_num_threads(1)
        torch.manual_seed(0)
        self._weights = random_weights(largest([shape.parts for shape in self.shapes]))
        self._packed = PackedSlices(self._weights, self.budget_bytes)
        self._inputs = [torch.randn(1, 3, shape.pixels, shape.pixels) for shape in self.shapes]
        budget = self.budget_bytes // WEIGHT_BYTES
        cut = [prefix(self.copied(shape.parts), budget, self._size) for shape in self.shapes]
        self.subgraphs = [{}, *(graph for graph in cut if graph)]

    def beside(self) -> "OnCpu":
        """Return an instance that shares the weights but keeps its own packed copies."""
        other = copy(self)
        other._packed = PackedSlices(self._weights, self.budget_bytes)
        return other

    def run_ms(self, row: int) -> float:
        """Run one inference of a SubNet with the copies kept now; return its CPU time."""
        return _cpu_ms(lambda: run(self._inputs[row], self.shapes[row].parts, self._packed))

    def keep_ms(self, column: int) -> float:
        return _cpu_ms(lambda: self._packed.keep(self.subgraphs[column]))

    def copied(self, parts: Slices) -> dict[int, Slice]:
        """Return the SubNet's slices that must be copied unless they are kept."""
        return {at: part for at, part in parts.items() if self._packed.must_copy(at, part)}

    def _size(self, layer: int) -> float:
        return -self._weights[layer].numel()


def measured(cpu: OnCpu, repeats: int, tell: Callable[[int, int], None]) -> BackEnd:
    """Return the table of minimum times of every pair over `repeats` rounds, as noise only adds."""
    rows, columns = range(len(cpu.shapes)), range(len(cpu.subgraphs))
    took: list[list[list[float]]] = [[[] for _ in columns] for _ in rows]
    filled = np.array([_bytes(graph) for graph in cpu.subgraphs])
    rates = []
    for number in range(repeats):
        tell(number, repeats)
        for column in columns:
            cpu.keep_ms(0)
            kept_ms = cpu.keep_ms(column)
            rates += [kept_ms / filled[column]] if column else []
            for row in rows:
                took[row][column].append(cpu.run_ms(row))
    times = [[min(cell) for cell in row] for row in took]
    return _back_end(cpu, times, min(rates, default=0.0))


def _back_end(cpu: OnCpu, times: list[list[float]], ms_per_byte: float) -> BackEnd:
    graphs, layers = cpu.subgraphs, sorted({at for shape in cpu.shapes for at in shape.parts})
    refills = np.array([[_refill_bytes(old, new) for new in graphs] for old in graphs])
    copied = [cpu.copied(shape.parts) for shape in cpu.shapes]
    hits = np.array([[_hit_bytes(parts, graph) for graph in graphs] for parts in copied])
    table = LatencyTable(
        tuple(
            SubNet(shape.name, shape.accuracy, vector(shape.parts, layers), tuple(row))
            for shape, row in zip(cpu.shapes, times, strict=True)
        ),
        tuple(
            SubGraph(f"G{at}", vector(graph, layers), tuple(ms_per_byte * refills[:, at]))
            for at, graph in enumerate(graphs)
        ),
    )
    weights = np.array([_bytes(parts) for parts in copied])
    return BackEnd(table, weights, weights[:, None] - hits, hits, refills)


def _bytes(slices: Slices) -> int:
    return WEIGHT_BYTES * sum(part.weights for part in slices.values())


def _hit_bytes(parts: Slices, graph: Slices) -> int:
    kept = {
        at: part
        for at, part in parts.items()
        if at in graph and part.channels == graph[at].channels and part.kernels <= graph[at].kernels
    }
    return _bytes(kept)


def _refill_bytes(old: Slices, new: Slices) -> int:
    return _bytes({at: part for at, part in new.items() if old.get(at) != part})


def _cpu_ms(work: Callable[[], object]) -> float:
    with torch.inference_mode():
        began_s = time.thread_time()
        work()
        return 1000 * (time.thread_time() - began_s)
