"""The oldest request that a pod may still have: everything before it is over."""

from infadapter_simulator.world.queues import Floats, Ints, oldest_open

LOOK_BACK_S = 30.0
"""How far a look may lie before the latest one without a search from the beginning."""


class OldestOpen:
    """It remembers how far it has looked, for whoever reads goes forward in time."""

    def __init__(self) -> None:
        self._open, self._looked_s = 0, 0.0

    def at(self, at_s: float, slot_of: Ints, finish_s: Floats, passed: int) -> int:
        """No request before this one is in a pod then or later; `passed` have arrived."""
        if at_s < self._looked_s:
            self._looked_s, self._open = 0.0, 0
        behind_s = at_s - LOOK_BACK_S
        if behind_s > self._looked_s:
            self._looked_s = behind_s
            self._open = oldest_open(slot_of, finish_s, self._open, passed, behind_s)
        return self._open
