"""
Detect models that fail at every request. Such a model attracts traffic, because nothing is as fast
as an error.

Consecutive failures only raise a suspicion, as they may come from one client's inputs. Then the
network computes its warm-up inputs again; if that fails, it is broken.
"""

from dataclasses import dataclass

__all__ = ["Failing"]

IN_A_ROW = 5
CHECK_EVERY_S = 1.0


@dataclass(slots=True)
class Failing:
    """The state of one model. `broken`: a check failed, and none has passed since."""

    broken: bool = False
    _in_a_row: int = 0
    _next_check_s: float = 0.0

    def ended(self, good: bool) -> None:
        """Record an execution of client inputs."""
        if good:
            self._in_a_row, self.broken = 0, False
        else:
            self._in_a_row += 1

    def checked(self, good: bool) -> None:
        self.broken = not good
        if good:
            self._in_a_row = 0

    def wants_check(self, now_s: float) -> bool:
        """Whether a check is due; if so it counts as begun."""
        suspected = self.broken or self._in_a_row >= IN_A_ROW
        if not suspected or now_s < self._next_check_s:
            return False
        self._next_check_s = now_s + CHECK_EVERY_S
        return True
