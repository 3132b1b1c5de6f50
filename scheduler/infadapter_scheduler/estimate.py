"""Estimators over sliding windows: execution times and arrival rates."""

from collections import deque
from math import exp

WINDOW = 200
"""
Window length in executions. Ten, as in released Clockwork, are blind to tails: their p99 is their
maximum.
"""

FULL_WINDOWS = 5.0
LEAST_SEEN = 0.001
LEAST = 0.01


class WindowMean:
    """
    The mean of a sliding window, initialised from the profile. The mean rather than a high
    quantile, because queueing errors add up and only means do so without bias; the rest is the task
    of the safety buffer.
    """

    __slots__ = ("_followed", "_sum", "_values", "guessed", "mean")

    def __init__(self, seed: float) -> None:
        self._values = deque([seed] * WINDOW, maxlen=WINDOW)
        self._sum = seed * WINDOW
        self._followed = 1.0  # what values are to be multiplied with
        self.mean = seed
        self.guessed = False

    def restart(self, value: float) -> None:
        """Forget everything but this value; the following values count as much as it does."""
        self._values = deque([value], maxlen=WINDOW)
        self._sum = self.mean = value
        self._followed = 1.0
        self.guessed = False

    def guess(self, value: float) -> None:
        """Set a provisional value until the first measurement."""
        self.restart(value)
        self.guessed = True

    def bound(self, value: float) -> None:
        """Cap the mean at a value known from elsewhere."""
        if self.mean > value:
            self.restart(value)

    def scale(self, factor: float, longer: float = 0.0) -> None:
        """
        Scale all values by `factor` and add `longer` seconds, but never down to nothing, as a
        profile may have been set meanwhile.
        """
        factor *= self._followed
        moved = [max(factor * value + longer, LEAST * factor * value) for value in self._values]
        self._values, self._sum, self._followed = deque(moved, maxlen=WINDOW), sum(moved), 1.0
        self.mean = self._sum / len(moved)

    def follow(self, ratio: float) -> None:
        """Scale the mean like other sizes, which were measured more recently."""
        self._followed *= ratio
        self.mean *= ratio

    @property
    def settled(self) -> bool:
        """Whether a single value moves the mean only as much as it tells about the machine."""
        return len(self._values) == WINDOW

    def add(self, value: float) -> None:
        if self.guessed:
            self.restart(value)
            return
        value /= self._followed
        self._sum += value - (self._values[0] if len(self._values) == WINDOW else 0.0)
        self._values.append(value)
        self.mean = self._followed * self._sum / len(self._values)


class DecayingRate:
    """Rate per second over an exponentially decaying window, unbiased from the first second."""

    __slots__ = ("_began_s", "_known_s", "_mass", "window_s")

    def __init__(self, began_s: float, window_s: float) -> None:
        self._mass = 0.0
        self._began_s = self._known_s = began_s
        self.window_s = window_s

    def add(self, amount: float, now_s: float) -> float:
        self._mass = self._mass * exp((self._known_s - now_s) / self.window_s) + amount
        self._known_s = now_s
        return self.rate(now_s)

    def scale(self, factor: float) -> None:
        """Convert the amounts to another unit."""
        self._mass *= factor

    def rate(self, now_s: float) -> float:
        age = (now_s - self._began_s) / self.window_s
        seen = max(LEAST_SEEN, 1.0 - exp(-age)) if age < FULL_WINDOWS else 1.0
        mass = self._mass
        if now_s > self._known_s:
            mass *= exp((self._known_s - now_s) / self.window_s)
        return mass / (self.window_s * seen)
