"""Parameters of an experiment, and the two simulated machines that all experiments use."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from infadapter_simulator.accelerator.accelerators import Board, Roofline
from infadapter_simulator.reproduction.experiment import Tell

Machine = Board | Roofline

EVERY, CANDIDATES, DWELL = 16, 20, 64.0
"""
Q, the number of candidate SubGraphs, and the mean length of a regime, where they are not swept.
"""

MACHINES: Mapping[str, Machine] = {"resnet50": Board(), "mobilenetv3": Roofline()}
SAYS: Mapping[str, str] = {
    "resnet50": "OFA-ResNet50 on a ZCU104, by its calibration",
    "mobilenetv3": "OFA-MobileNetV3 on a roofline",
}
LARGE_BYTES: Mapping[str, int] = {"resnet50": 16_000_000, "mobilenetv3": 3_800_000}
"""Size of a buffer larger than everything that all SubNets share, bytes."""

SIMULATED = "Simulated: nothing here was measured on an accelerator with a cache."


@dataclass(frozen=True, slots=True)
class Asked:
    """The parameters. `queries` is the number in each stream."""

    queries: int
    tell: Tell
    seed: int = 1

    def draw(self, *of: int) -> np.random.Generator:
        return np.random.default_rng((self.seed, *of))


def saved(one: float, of: float) -> float:
    """Return the saving in percent."""
    return 100 * (1 - one / of)
