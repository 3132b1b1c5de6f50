"""
A SuperNet as an adaptive network: its operating points are SubNets, selected by a look-up.

This module also reads the weights that ship with the package, and checks them against the checksum
that training wrote.
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
from infadapter_server.networks.memory import held_bytes, trim_memory
from infadapter_server.networks.notes import WEIGHTS
from infadapter_server.networks.packing import unpack
from infadapter_server.networks.signatures import Floats, LoadError

__all__ = ["NOTES", "STATISTICS", "WEIGHTS_FILE", "Selected", "SuperNet", "noted", "open_supernet"]

WEIGHTS_FILE, NOTES = "mnist1d.pt", "mnist1d.json"
STATISTICS = "statistics."


@dataclass(frozen=True, slots=True)
class Selected:
    """A SubNet that is served, with its normalisation statistics."""

    point: Point
    subnet: SubNet
    statistics: Statistics


class SuperNet:
    """Adaptive network whose SubNets share weights; each adds only statistics and views."""

    def __init__(self, network: Elastic, selected: Sequence[Selected]) -> None:
        self.network = network.eval()
        self.selected = {each.point.name: each for each in selected}
        self._bound = {
            each.point.name: (each.subnet, network.bind(each.subnet, each.statistics))
            for each in selected
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

    def actuated(self, point: str) -> tuple[SubNet, list[Bound]]:
        """Return the SubNet of a point and its bound convolutions. Raises UnknownPoint."""
        found = self._bound.get(point)
        if found is None:
            raise UnknownPoint(point, self.points)
        return found

    def run(self, batch: Floats, point: str) -> Floats:
        """Raises UnknownPoint."""
        subnet, bound = self.actuated(point)
        with torch.inference_mode():
            images = torch.from_numpy(batch)
            if images.ndim == 2:  # a signal is an image of one row
                images = images[:, None, None]
            answer = self.network.compute(images, subnet, bound)
        logits: Floats = answer.numpy()
        return logits

    def use_threads(self, threads: int) -> None:
        torch.set_num_threads(threads)

    def __del__(self) -> None:
        # Unloading must return memory to the system; malloc keeps what is freed.
        self.__dict__.clear()
        trim_memory()


def noted(folder: Traversable = WEIGHTS) -> dict[str, Any]:
    """Return the notes that training wrote with the weights."""
    notes: dict[str, Any] = json.loads(_content(folder / NOTES))
    return notes


def open_supernet(folder: Traversable = WEIGHTS, file: str = WEIGHTS_FILE) -> SuperNet:
    """Return the trained SuperNet from a folder with its weights and notes. Raises LoadError."""
    try:
        notes, content = noted(folder), _content(folder / file)
    except (OSError, ValueError) as error:
        raise LoadError(
            f"The weights or the notes of the SuperNet can't be read ({type(error).__name__}): "
            "install the package again, or train it."
        ) from None
    if hashlib.sha256(content).hexdigest() != (
        notes.get("sha256") if isinstance(notes, dict) else None
    ):
        raise LoadError(
            f"The checksum of {folder / file} is not the one in {NOTES}: the file is "
            "damaged, or was trained apart from its notes. Install the package again, or train it."
        )
    try:
        return _assembled(torch.load(io.BytesIO(content), weights_only=True), notes)
    except (AttributeError, LookupError, RuntimeError, TypeError, ValueError) as error:
        raise LoadError(
            f"The weights and the notes in {folder} are not what training writes "
            f"({type(error).__name__}): install the package again, or train it."
        ) from None


def _content(file: Traversable) -> bytes:
    """Raises OSError, also for a pipe, since reading it would block."""
    if not file.is_file():
        raise FileNotFoundError
    return file.read_bytes()


def _assembled(packed: Mapping[str, torch.Tensor], notes: Mapping[str, Any]) -> SuperNet:
    network = Elastic(MNIST1D)
    found = {k.removeprefix(STATISTICS): v for k, v in packed.items() if k.startswith(STATISTICS)}
    weights = {k: v for k, v in packed.items() if not k.startswith(STATISTICS)}
    network.load_state_dict(unpack(weights))
    points = [_point(name, note) for name, note in notes["points"].items()]
    check_points("The SuperNet", points)
    check_profiled("the SuperNet", found, points)
    return SuperNet(
        network,
        [Selected(p, _subnet(notes["points"][p.name]), found[p.name]) for p in points],
    )


def _point(name: str, note: Mapping[str, Any]) -> Point:
    seconds = {int(size): spent for size, spent in note["execution_s"].items()}
    return Point(name, note["accuracy"], seconds)


def _subnet(note: Mapping[str, Any]) -> SubNet:
    return SubNet(note["stream"], tuple(map(tuple, note["widths"])))
