"""A reproducible experiment: its duration, and the report of its progress."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Generic, TypeVar

from infadapter_simulator.reproduction.result import Result

Tell = Callable[[int, int], None]
"""Called with the amount done and the total."""

AskedT = TypeVar("AskedT")


@dataclass(frozen=True, slots=True)
class Experiment(Generic[AskedT]):
    """
    An experiment with its durations in minutes of virtual time: for a quick run, and by default.
    """

    run: Callable[[AskedT], Result]
    quick_minutes: float
    minutes: float

    def lasts(self, given: float | None, *, quick: bool) -> float:
        """Return the duration in minutes: the given one, else the quick or the default one."""
        if given is not None:
            return given
        return self.quick_minutes if quick else self.minutes
