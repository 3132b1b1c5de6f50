"""What is asked of an experiment."""

from dataclasses import dataclass
from pathlib import Path

from infadapter_simulator.reproduction.experiment import Tell


@dataclass(frozen=True, slots=True)
class Asked:
    """`samples`: fresh ones that accuracy is measured on. `seconds`: of the run with co-runners."""

    cache: Path
    tell: Tell
    labels: int
    samples: int
    seconds: float
    quick: bool
    seed: int = 1
