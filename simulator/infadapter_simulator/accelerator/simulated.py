"""The table of an accelerator and its SubNets: latencies and bytes with each SubGraph cached."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from infadapter_scheduler.subgraphs import (
    LatencyTable,
    Slice,
    Slices,
    SubGraph,
    SubNet,
    candidates,
    vector,
    weights,
)
from infadapter_scheduler.subgraphs.candidates import Order
from infadapter_scheduler.subgraphs.slices import shared
from infadapter_simulator.accelerator.accelerators import Accelerator
from infadapter_simulator.accelerator.networks import SimulatedSubNet

EMPTY = 0
"""The column of the SubGraph that holds nothing."""

Bytes = npt.NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class Simulated:
    """`traffic` and `hits`: bytes by row and column; `refills`: by the column before, and after."""

    table: LatencyTable
    weights: Bytes
    traffic: Bytes
    hits: Bytes
    refills: Bytes


def simulated(
    nets: Sequence[SimulatedSubNet], accelerator: Accelerator, most_candidates: int
) -> Simulated:
    """Of the empty SubGraph, and so many candidates that fit into the buffer."""
    parts = [net.parts for net in nets]
    cut = candidates(parts, accelerator.buffer_bytes, orders(nets), most_candidates)
    graphs: tuple[Slices, ...] = ({}, *(one for one in cut if one))
    refills = np.array(
        [[weights(new) - weights(shared(new, old)) for new in graphs] for old in graphs]
    )
    slots = sorted({layer.slot for net in nets for layer in net.layers})
    rows = tuple(
        SubNet(
            net.name,
            net.accuracy,
            vector(net.parts, slots),
            tuple(latency_ms(net, graph, accelerator) for graph in graphs),
        )
        for net in nets
    )
    columns = tuple(
        SubGraph(
            f"G{at}",
            vector(graph, slots),
            tuple(accelerator.refill_ms(int(fetched)) for fetched in refills[:, at]),
        )
        for at, graph in enumerate(graphs)
    )
    return Simulated(
        LatencyTable(rows, columns),
        np.array([net.weights for net in nets]),
        np.array([[traffic_bytes(net, graph, accelerator) for graph in graphs] for net in nets]),
        np.array([[weights(shared(net.parts, graph)) for graph in graphs] for net in nets]),
        refills,
    )


def latency_ms(net: SimulatedSubNet, graph: Slices, accelerator: Accelerator) -> float:
    return sum(
        accelerator.layer_ms(layer, cached(layer.part, graph.get(layer.slot)))
        for layer in net.layers
    )


def traffic_bytes(net: SimulatedSubNet, graph: Slices, accelerator: Accelerator) -> int:
    return sum(
        accelerator.traffic_bytes(layer, cached(layer.part, graph.get(layer.slot)))
        for layer in net.layers
    )


def cached(part: Slice, kept: Slice | None) -> int:
    """How many of a layer's weights are on the chip."""
    return part.shared(kept).weights if kept else 0


def orders(nets: Sequence[SimulatedSubNet]) -> tuple[Order, Order]:
    """Layers with the fewest computations for each weight first, which wait for weights most; and
    those of the most weights."""
    layers = {layer.slot: layer for net in nets for layer in net.layers}
    return (
        lambda slot: layers[slot].outputs ** 2,
        lambda slot: -layers[slot].weights,
    )
