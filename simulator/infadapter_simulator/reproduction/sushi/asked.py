"""What is asked of an experiment, and the two simulated machines that all of them look at."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from infadapter_simulator.accelerator.accelerators import Board, Roofline
from infadapter_simulator.reproduction.experiment import Tell

Machine = Board | Roofline

EVERY, CANDIDATES, DWELL = 16, 20, 64.0
"""Q, SubGraphs to choose from, and the mean length of a regime, where they aren't what is swept."""

MACHINES: Mapping[str, Machine] = {"resnet50": Board(), "mobilenetv3": Roofline()}
SAYS: Mapping[str, str] = {
    "resnet50": "OFA-ResNet50 on a ZCU104, by its calibration",
    "mobilenetv3": "OFA-MobileNetV3 on a roofline",
}
LARGE_BYTES: Mapping[str, int] = {"resnet50": 16_000_000, "mobilenetv3": 3_800_000}
"""A buffer that holds more than what all SubNets share."""

SIMULATED = "Simulated: nothing here was measured on an accelerator with a cache."


@dataclass(frozen=True, slots=True)
class Asked:
    """`queries`: in each stream."""

    queries: int
    tell: Tell
    seed: int = 1

    def draw(self, *of: int) -> np.random.Generator:
        return np.random.default_rng((self.seed, *of))


def saved(one: float, of: float) -> float:
    """In percent."""
    return 100 * (1 - one / of)
