"""What is asked of an experiment."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from infadapter_simulator.reproduction.experiment import Tell


@dataclass(frozen=True, slots=True)
class Asked:
    """`minutes`: of virtual time, for each workload. `rates_rps`: a trace's, a second each."""

    minutes: float
    tell: Tell
    rates_rps: Sequence[float] = ()
    seed: int = 1

    @property
    def seconds(self) -> float:
        return 60 * self.minutes

    def draw(self) -> np.random.Generator:
        """The same for each policy."""
        return np.random.default_rng(self.seed)
