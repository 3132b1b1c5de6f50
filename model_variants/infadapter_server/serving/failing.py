"""
A model that fails at everything: a black hole, since nothing answers as fast as an error.

Failures in a row are a suspicion only, for they may be one client's inputs. So the network is then
given what it computed while warming up: if it fails at that too, it is broken.
"""

from dataclasses import dataclass

__all__ = ["Failing"]

IN_A_ROW = 5
CHECK_EVERY_S = 1.0


@dataclass(slots=True)
class Failing:
    """Of one model. `broken`: it failed at a check, and at none since."""

    broken: bool = False
    _in_a_row: int = 0
    _next_check_s: float = 0.0

    def ended(self, good: bool) -> None:
        """An execution of a client's inputs."""
        if good:
            self._in_a_row, self.broken = 0, False
        else:
            self._in_a_row += 1

    def checked(self, good: bool) -> None:
        self.broken = not good
        if good:
            self._in_a_row = 0

    def wants_check(self, now_s: float) -> bool:
        """If so, it is taken as begun."""
        suspected = self.broken or self._in_a_row >= IN_A_ROW
        if not suspected or now_s < self._next_check_s:
            return False
        self._next_check_s = now_s + CHECK_EVERY_S
        return True
