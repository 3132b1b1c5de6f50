"""Periodic loops, each with its own phase."""

from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True, slots=True)
class Ticker:
    """Ticks at `phase_s`, `phase_s` + `period_s`, and so on."""

    phase_s: float
    period_s: float

    def next_s(self, now_s: float) -> float:
        """Return the first tick after now."""
        return self._at(np.floor((now_s - self.phase_s) / self.period_s + 1e-9) + 1)

    def last_s(self, now_s: float) -> float:
        """Return the last tick up to and including now."""
        return self._at(np.floor((now_s - self.phase_s) / self.period_s + 1e-9))

    def is_due(self, now_s: float) -> bool:
        return abs(self.last_s(now_s) - now_s) < 1e-6

    def between(self, after_s: float, until_s: float) -> list[float]:
        """Return the ticks after `after_s`, up to and including `until_s`."""
        ticks = []
        tick_s = self.next_s(after_s)
        while tick_s <= until_s + 1e-9:
            ticks.append(tick_s)
            tick_s = self.next_s(tick_s)
        return ticks

    def _at(self, ticks: float) -> float:
        return float(self.phase_s + self.period_s * ticks)


def ticker(rng: np.random.Generator, period_s: float) -> Ticker:
    """Return a ticker with a random phase, since loops do not know the trace's first second."""
    return Ticker(float(rng.uniform(0, period_s)), period_s)
