"""An experiment that is run again: for how long, and whom it tells how far it is."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Generic, TypeVar

from infadapter_simulator.reproduction.result import Result

Tell = Callable[[int, int], None]
"""How much is done, and of how much."""

AskedT = TypeVar("AskedT")


@dataclass(frozen=True, slots=True)
class Experiment(Generic[AskedT]):
    """Minutes of virtual time: a few seconds' work, and what is run by default."""

    run: Callable[[AskedT], Result]
    quick_minutes: float
    minutes: float

    def lasts(self, given: float | None, *, quick: bool) -> float:
        """In minutes, where so many were asked for or none."""
        if given is not None:
            return given
        return self.quick_minutes if quick else self.minutes
