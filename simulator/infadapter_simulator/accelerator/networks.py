"""The simulated SubNets of two SuperNets: shapes and accuracies."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from typing import Any

import yaml

from infadapter_scheduler.subgraphs import Slices
from infadapter_simulator.accelerator import mobilenetv3, resnet50
from infadapter_simulator.accelerator.layers import Layer

LAYERS: Mapping[str, Callable[[Mapping[str, Any]], tuple[Layer, ...]]] = {
    "resnet50": resnet50.layers,
    "mobilenetv3": mobilenetv3.layers,
}


@dataclass(frozen=True, slots=True)
class SimulatedSubNet:
    name: str
    accuracy: float
    layers: tuple[Layer, ...]

    @property
    def parts(self) -> Slices:
        return {layer.slot: layer.part for layer in self.layers}

    @property
    def weights(self) -> int:
        return sum(layer.weights for layer in self.layers)

    @property
    def macs(self) -> int:
        return sum(layer.macs for layer in self.layers)


@cache
def subnets(supernet: str) -> Sequence[SimulatedSubNet]:
    """
    Return the SubNets of a SuperNet by rising accuracy. Raises KeyError for an unknown SuperNet.
    """
    text = (files(__package__) / f"{supernet}.yaml").read_text("utf-8")
    return [
        SimulatedSubNet(name, row["accuracy"], LAYERS[supernet](row))
        for name, row in yaml.safe_load(text).items()
    ]
