"""
The safety buffer: a quantile of the cumulative estimation error at a queue depth.

A request behind k executions is exposed to the sum of k errors. Sums of k consecutive errors are
measured, so that correlated errors count correctly. The promised quantile is beyond what a window
can show, and is extrapolated from mean, deviation and skewness (Cornish and Fisher).
"""

from collections import deque
from dataclasses import dataclass, field
from math import sqrt
from statistics import NormalDist

import numpy as np

WINDOW, RENEW = 800, 100
FEW = 10.0
"""
Number of executions after which a measured deviation is widened by half, since few samples tell
little.
"""

DEPTHS = (1, 2, 4, 8, 16, 32, 64)

MOST_OF_THE_TIME = 0.5
"""
Largest buffer of a real machine, as a share of the time until completion; two thirds of a deadline
can then be used. The promise is extrapolated, and a single long interruption could make it larger
than every deadline: nothing would be admitted, and nothing learnt that could correct it.
"""


@dataclass(slots=True)
class SafetyBuffer:
    """Relative errors of executions, and the time to keep free for the promised share."""

    promised: float = 0.9999
    constant_s: float | None = None
    most: float | None = None  # of the time until the completion that it protects
    remembered: int = 0  # executions, of which the largest sums count beyond the window
    _errors: deque[float] = field(default_factory=lambda: deque(maxlen=WINDOW))
    version: int = 0  # another one with each other quantile
    _fresh: int = 0
    _quantiles: tuple[float, ...] = (0.0,) * len(DEPTHS)
    _largest: deque[tuple[float, ...]] = field(default_factory=deque)  # sums, at each measurement

    def learn(self, expected_s: float, actual_s: float) -> None:
        self._errors.append(actual_s / expected_s - 1.0)
        self._fresh += 1
        if self.constant_s is None and self._fresh >= min(RENEW, 1 + len(self._errors) // 4):
            self._fresh = 0
            self._measure()

    def seconds(self, ahead_s: float, each_s: float) -> float:
        """
        Return the buffer for a completion `ahead_s` from now, behind executions of `each_s`, s.
        """
        if self.constant_s is not None:
            return self.constant_s
        if not self._quantiles[0]:
            return 0.0
        measured_s = self._measured_s(ahead_s, each_s)
        return measured_s if self.most is None else min(measured_s, self.most * ahead_s)

    def within_s(self, left_s: float) -> float:
        """Return the longest execution that fits, with its own buffer, into `left_s`."""
        if self.constant_s is not None:
            return left_s - self.constant_s
        return left_s / (1.0 + self.seconds(1.0, 1.0))

    def _measured_s(self, ahead_s: float, each_s: float) -> float:
        quantiles = self._quantiles
        depth = ahead_s / each_s
        for known, quantile in zip(DEPTHS, quantiles, strict=True):
            if depth <= known:
                return quantile * each_s
        return quantiles[-1] * each_s * sqrt(depth / DEPTHS[-1])

    def _measure(self) -> None:
        if len(self._errors) < 2:
            return
        found = self._of_the_window()
        if self.remembered:
            found = self._with_remembered(found)
        measured = tuple(max(0.0, value) if value > 1e-6 else 0.0 for value in found)
        if measured != self._quantiles:
            self._quantiles, self.version = measured, self.version + 1

    def _of_the_window(self) -> list[float]:
        wider = 1.0 + FEW / 2 / len(self._errors)
        found: list[float] = []
        for sums in self._sums():
            if len(sums):
                found.append(wider * quantile(sums, self.promised))
            else:
                found.append(found[-1] * sqrt(2))
        return found

    def _sums(self) -> list[np.ndarray]:
        """Return sums of consecutive errors by depth; none where the window is too short."""
        sums = np.concatenate(([0.0], np.cumsum(np.fromiter(self._errors, float))))
        known = max(1, len(self._errors) // 4)
        return [sums[d:] - sums[:-d] if d <= known else sums[:0] for d in DEPTHS]

    def _with_remembered(self, found: list[float]) -> list[float]:
        """
        Include the largest sums of the past, because what happens once in thousands of executions
        leaves the window.
        """
        self._largest.append(tuple([float(s.max()) if len(s) else 0.0 for s in self._sums()]))
        while len(self._largest) > max(1, self.remembered // RENEW):
            self._largest.popleft()
        return [max(each) for each in zip(found, *self._largest, strict=True)]


def quantile(sums: np.ndarray, promised: float) -> float:
    """
    Return the quantile, extrapolated from three moments, and at least the largest value observed.
    """
    mean = float(sums.mean())
    beside = sums - mean
    deviation = sqrt(float((beside * beside).mean()))
    if deviation < 1e-9:
        return mean
    skewness = float((beside**3).mean()) / deviation**3
    z = NormalDist().inv_cdf(promised)
    beyond = mean + deviation * (z + (z * z - 1) * max(0.0, skewness) / 6)
    return max(beyond, float(sums.max()))
