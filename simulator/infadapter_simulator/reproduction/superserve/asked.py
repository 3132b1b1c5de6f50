"""Parameters of an experiment."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from infadapter_simulator.reproduction.experiment import Tell


@dataclass(frozen=True, slots=True)
class Asked:
    """
    The parameters. `minutes` is the virtual duration of each workload, `rates_rps` those of a trace
    by second.
    """

    minutes: float
    tell: Tell
    rates_rps: Sequence[float] = ()
    seed: int = 1

    @property
    def seconds(self) -> float:
        return 60 * self.minutes

    def draw(self) -> np.random.Generator:
        """Return a generator with the same seed for each policy."""
        return np.random.default_rng(self.seed)
