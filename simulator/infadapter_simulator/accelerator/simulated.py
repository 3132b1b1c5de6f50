"""
The latency table of an accelerator and its SubNets: latencies and bytes for each cached SubGraph.
"""

from collections.abc import Sequence
from functools import partial

import numpy as np

from infadapter_scheduler.subgraphs import (
    BackEnd,
    LatencyTable,
    Slice,
    Slices,
    SubGraph,
    SubNet,
    candidates,
    vector,
)
from infadapter_scheduler.subgraphs.back_end import Bytes
from infadapter_scheduler.subgraphs.candidates import Order
from infadapter_simulator.accelerator.accelerators import Accelerator
from infadapter_simulator.accelerator.networks import SimulatedSubNet


def simulated(
    nets: Sequence[SimulatedSubNet], accelerator: Accelerator, most_candidates: int
) -> BackEnd:
    """
    Return the table for the empty SubGraph and up to `most_candidates` that fit into the buffer.
    """
    parts = [net.parts for net in nets]
    cut = candidates(parts, accelerator.buffer_bytes, orders(nets), most_candidates)
    graphs: tuple[Slices, ...] = ({}, *(one for one in cut if one))
    slots = sorted({layer.slot for net in nets for layer in net.layers})
    in_graphs, in_nets = _vectors(graphs, slots), _vectors(parts, slots)
    kept = _shared_weights(in_graphs, in_graphs)
    refills = np.diag(kept) - kept
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
    return BackEnd(
        LatencyTable(rows, columns),
        np.array([net.weights for net in nets]),
        np.array([[traffic_bytes(net, graph, accelerator) for graph in graphs] for net in nets]),
        _shared_weights(in_nets, in_graphs),
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


def _vectors(of: Sequence[Slices], slots: Sequence[int]) -> Bytes:
    """Return kernels, channels and side of each network's layers in these slots."""
    return np.array([vector(one, slots) for one in of], dtype=np.int64).reshape(len(of), -1, 3)


def _shared_weights(rows: Bytes, columns: Bytes) -> Bytes:
    """Return the weights that each row and column share, vectorised like `shared` and `weights`."""
    parts = (np.minimum(row, columns) for row in rows)
    return np.array([(p[..., 0] * p[..., 1] * p[..., 2] ** 2).sum(axis=1) for p in parts])


def cached(part: Slice, kept: Slice | None) -> int:
    """Return how many of a layer's weights are on the chip."""
    return part.shared(kept).weights if kept else 0


def orders(nets: Sequence[SimulatedSubNet]) -> tuple[Order, ...]:
    """
    Return the orders in which layers are kept: by fewest computations per weight, since those wait
    for their weights most; by most weights; and from each layer backwards, for SubGraphs that
    differ.
    """
    layers = {layer.slot: layer for net in nets for layer in net.layers}
    most = max(layers) + 1
    return (
        lambda slot: layers[slot].outputs ** 2,
        lambda slot: -layers[slot].weights,
        *(partial(_backwards, first, most) for first in sorted(layers, reverse=True)),
    )


def _backwards(first: int, most: int, slot: int) -> int:
    return (first - slot) % most
