"""
A SuperNet as an adaptive network: its operating points are SubNets, actuated by a look-up.

The weights that ship with this package are read here, and held to the checksum that was noted when
they were trained.
"""

import hashlib
import io
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from importlib.resources.abc import Traversable
from typing import Any

import torch

from infadapter_server.networks.adaptive.elastic import Bound, Elastic, Statistics
from infadapter_server.networks.adaptive.points import (
    Point,
    UnknownPoint,
    check_points,
    check_profiled,
)
from infadapter_server.networks.adaptive.shapes import MNIST1D
from infadapter_server.networks.adaptive.space import SubNet
from infadapter_server.networks.memory import give_back, held_bytes
from infadapter_server.networks.notes import WEIGHTS
from infadapter_server.networks.packing import unpack
from infadapter_server.networks.signatures import Floats, LoadError

__all__ = ["NOTES", "STATISTICS", "WEIGHTS_FILE", "Selected", "SuperNet", "noted", "shipped"]

WEIGHTS_FILE, NOTES = "mnist1d.pt", "mnist1d.json"
STATISTICS = "statistics."


@dataclass(frozen=True, slots=True)
class Selected:
    """A SubNet that is served, with the statistics of its own."""

    point: Point
    subnet: SubNet
    statistics: Statistics


class SuperNet:
    """SubNets share the weights; each adds its statistics, and views of what it computes with."""

    def __init__(self, network: Elastic, selected: Sequence[Selected]) -> None:
        self.network = network.eval()
        self.selected = {each.point.name: each for each in selected}
        self._bound: dict[str, list[Bound]] = {
            each.point.name: network.bind(each.subnet, each.statistics) for each in selected
        }

    @property
    def points(self) -> tuple[Point, ...]:
        return tuple(each.point for each in self.selected.values())

    @property
    def weights_bytes(self) -> int:
        return held_bytes(self.network) + self.statistics_bytes

    @property
    def statistics_bytes(self) -> int:
        return sum(each.statistics.nbytes for each in self.selected.values())

    def run(self, batch: Floats, point: str) -> Floats:
        """Raises UnknownPoint."""
        chosen = self.selected.get(point)
        if chosen is None:
            raise UnknownPoint(point, self.points)
        with torch.inference_mode():
            images = torch.from_numpy(batch)
            if images.ndim == 2:  # a signal is an image of one row
                images = images[:, None, None]
            answer = self.network.compute(images, chosen.subnet, self._bound[point])
        logits: Floats = answer.numpy()
        return logits

    def use_threads(self, threads: int) -> None:
        torch.set_num_threads(threads)

    def __del__(self) -> None:
        # Who unloads a model wants its memory, and malloc keeps what is freed.
        self.__dict__.clear()
        give_back()


def noted(folder: Traversable = WEIGHTS) -> dict[str, Any]:
    """What training noted of the weights that ship with this package."""
    notes: dict[str, Any] = json.loads((folder / NOTES).read_text(encoding="utf-8"))
    return notes


def shipped(folder: Traversable = WEIGHTS) -> SuperNet:
    """The trained SuperNet. Raises LoadError."""
    try:
        notes, content = noted(folder), (folder / WEIGHTS_FILE).read_bytes()
    except (OSError, ValueError) as error:
        raise LoadError(
            f"The weights or the notes of the SuperNet can't be read ({type(error).__name__}): "
            "install the package again, or train it."
        ) from None
    if hashlib.sha256(content).hexdigest() != notes.get("sha256"):
        raise LoadError(
            f"The checksum of {folder / WEIGHTS_FILE} is not the one in {NOTES}: the file is "
            "damaged, or was trained apart from its notes. Install the package again, or train it."
        )
    return _assembled(torch.load(io.BytesIO(content), weights_only=True), notes)


def _assembled(packed: Mapping[str, torch.Tensor], notes: Mapping[str, Any]) -> SuperNet:
    network = Elastic(MNIST1D)
    found = {k.removeprefix(STATISTICS): v for k, v in packed.items() if k.startswith(STATISTICS)}
    weights = {k: v for k, v in packed.items() if not k.startswith(STATISTICS)}
    network.load_state_dict(unpack(weights))
    selected = [
        Selected(_point(name, note), _subnet(note), found.get(name, torch.empty(0)))
        for name, note in notes["points"].items()
    ]
    points = [each.point for each in selected]
    check_points("The SuperNet", points)
    check_profiled("the SuperNet", found, points)
    return SuperNet(network, selected)


def _point(name: str, note: Mapping[str, Any]) -> Point:
    seconds = {int(size): spent for size, spent in note["execution_s"].items()}
    return Point(name, note["accuracy"], seconds)


def _subnet(note: Mapping[str, Any]) -> SubNet:
    return SubNet(note["stream"], tuple(map(tuple, note["widths"])))
