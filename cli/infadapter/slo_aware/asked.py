"""Parameters of an experiment."""

from dataclasses import dataclass
from pathlib import Path

from infadapter_simulator.reproduction.experiment import Tell


@dataclass(frozen=True, slots=True)
class Asked:
    """
    The parameters. `samples` is the number of fresh samples for the accuracy, `seconds` the
    duration of the run with co-runners.
    """

    cache: Path
    tell: Tell
    labels: int
    samples: int
    seconds: float
    quick: bool
    seed: int = 1
