"""A network of many labels as an adaptive network; its points are shares of output nodes.

It has the protocol of adaptive networks (points, weights_bytes, run, use_threads), so a user's
module is two lines: `from infadapter_server.networks.sloaware.adaptive import load`.
"""

import json
from pathlib import Path

import numpy as np

from infadapter_profiles.regular import regular_bytes
from infadapter_scheduler.points import Point
from infadapter_server.networks.adaptive.points import UnknownPoint
from infadapter_server.networks.signatures import Floats
from infadapter_server.networks.sloaware import store
from infadapter_server.networks.sloaware.label_network import LabelNetwork, Tables, Weights

FULL = "full"
MOST_BYTES = 2**20
"""Limit on the file of the points' accuracies, in bytes."""

_WEIGHTS = ("hidden", "hidden_bias", "rows", "bias")
_TABLES = ("order", "begins", "anchors", "offsets")


class SloAwareNetwork:
    """`accuracies` are measured, by share of nodes; the share 1 is the full network, `full`.

    A batch is computed query by query, since each selects its own nodes. So a batch of n takes n
    times as long, and only the full network could gain from one.
    """

    def __init__(self, network: LabelNetwork, accuracies: dict[float, float]) -> None:
        self._network = network
        nodes = network.weights.labels
        self._most = {_name(share): max(1, round(share * nodes)) for share in accuracies}
        points = [Point(_name(share), known, {}) for share, known in accuracies.items()]
        self.points = tuple(sorted(points, key=lambda point: point.accuracy))

    @property
    def weights_bytes(self) -> int:
        return self._network.nbytes

    def run(self, batch: Floats, point: str) -> Floats:
        """Return each query's label number, [n, 1]. Raises UnknownPoint."""
        if point not in self._most:
            raise UnknownPoint(point, self.points)
        inputs = np.ascontiguousarray(batch, np.float32)
        return np.array([[self._answer(x, point)] for x in inputs], np.float32)

    def use_threads(self, threads: int) -> None:
        """Do nothing: the kernels are single-threaded."""

    def _answer(self, x: Floats, point: str) -> int:
        if point == FULL:
            return self._network.full(x)
        return self._network.answer(x, self._most[point]).label


def save(network: LabelNetwork, accuracies: dict[float, float], folder: Path) -> None:
    weights, tables = network.weights, network.tables
    arrays = {name: getattr(weights, name) for name in _WEIGHTS}
    store.write(folder / "network.npz", arrays | {name: getattr(tables, name) for name in _TABLES})
    (folder / "points.json").write_text(json.dumps(list(accuracies.items())) + "\n")


def load(folder: Path) -> SloAwareNetwork:
    """Return the network that `save` wrote. Raises BadNetworkFile."""
    arrays = store.read(folder / "network.npz", *_WEIGHTS, *_TABLES)
    try:
        accuracies = dict(json.loads(regular_bytes(folder / "points.json", MOST_BYTES)))
    except (OSError, ValueError, TypeError) as error:
        raise store.BadNetworkFile(f"{folder / 'points.json'} can't be read ({error})") from None
    network = LabelNetwork(Weights(*arrays[:4]), Tables(*arrays[4:]))
    return SloAwareNetwork(network, accuracies)


def _name(share: float) -> str:
    return FULL if share >= 1 else f"{100 * share:g}%"
