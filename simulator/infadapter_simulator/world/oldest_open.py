"""Find the oldest request that a pod may still have; everything before it is finished."""

from infadapter_simulator.compiled import compiled
from infadapter_simulator.world.servers import Floats, Ints

LOOK_BACK_S = 30.0
"""How far a query may lie before the latest one without a search from the beginning, s."""


class OldestOpen:
    """The position of the last query; queries mostly go forward in time."""

    def __init__(self) -> None:
        self._open, self._looked_s = 0, 0.0

    def at(self, at_s: float, slot_of: Ints, finish_s: Floats, passed: int) -> int:
        """
        Return an index before which no request is in a pod at `at_s` or later; `passed` requests
        have arrived.
        """
        if at_s < self._looked_s:
            self._looked_s, self._open = 0.0, 0
        behind_s = at_s - LOOK_BACK_S
        if behind_s > self._looked_s:
            self._looked_s = behind_s
            self._open = _first_open(slot_of, finish_s, self._open, passed, behind_s)
        return self._open


@compiled
def _first_open(slot_of: Ints, finish_s: Floats, first: int, last: int, at_s: float) -> int:
    """Return the first request from `first` on that a pod took and has not finished by `at_s`."""
    while first < last and (slot_of[first] < 0 or finish_s[first] <= at_s):
        first += 1
    return first
