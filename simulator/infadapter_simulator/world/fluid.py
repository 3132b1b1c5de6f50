"""
Traffic as a fluid: rates instead of requests, for runs in which single requests do not matter.

A rate may be any function of time, and may be determined only when its second begins. The load of a
pod beyond its rate at full load is missed, unless it evens out within some seconds. The computing
time depends on the number of seconds and pods, not on the rates.
"""

import math
from bisect import bisect_right
from collections.abc import Callable, Mapping

import numpy as np

from infadapter_simulator.scenario import PodSpeed, Scenario
from infadapter_simulator.world.queues import Floats
from infadapter_simulator.world.traffic import Traffic

EVENS_OUT_S = 10
"""Seconds within which a queue absorbs load above its mean."""


class Fluid(Traffic):
    """
    Fluid traffic. The second that ends at t has the rate of t; seconds before `began_s` are
    unknown.
    """

    def __init__(
        self, scenario: Scenario, rate: Callable[[float], float], began_s: float = -math.inf
    ) -> None:
        super().__init__(np.empty(0), scenario, 0)
        self.rate, self.began_s = rate, began_s
        self.delivers = 1.0  # of what pods promise
        self._now_s = 0.0
        self._shares: dict[int, float] = {}
        self._full_rps: dict[int, float] = {}
        self._counted: dict[int, tuple[float, float]] = {}
        self._beyond: dict[int, float] = {}  # of full load, since it was counted
        self._totals: list[tuple[float, float, float]] = []  # until when, sent, missed
        self._sent = self._missed = 0.0

    def route(self, weights: Mapping[int, int]) -> None:
        total = sum(weights.values())
        self._shares = {slot: weight / total for slot, weight in weights.items() if weight > 0}

    def add(self, speed: PodSpeed, limit: int | None, now_s: float) -> int:
        slot = super().add(speed, limit, now_s)
        self._full_rps[slot] = speed.most_rps
        return slot

    def resize(self, slot: int, speed: PodSpeed, limit: int | None, now_s: float) -> None:
        self._full_rps[slot] = speed.most_rps

    def fail(self, slot: int, now_s: float) -> None:
        self._counted.pop(slot, None)
        self._beyond.pop(slot, None)

    def advance(self, until_s: float) -> None:
        """Let time pass, with the rate of each second or part of one."""
        while self._shares and self._now_s < until_s:
            second_s = math.floor(self._now_s) + 1.0
            end_s = min(second_s, until_s)
            self._flow(self.rate(second_s), end_s - self._now_s)
            self._now_s = end_s
            if end_s % EVENS_OUT_S == 0:
                self._count_missed()
        self._now_s = max(self._now_s, until_s)

    def counts(self, slot: int) -> tuple[float, float]:
        return self._counted.get(slot, (0.0, 0.0))

    def fates(self, from_s: float, to_s: float) -> tuple[float, float, float, float]:
        """
        Return the requests answered, late, refused and failed between two times, as of the last
        counting. What is missed counts as refused.
        """
        (sent, missed), (sent_before, missed_before) = self._total(to_s), self._total(from_s)
        refused = min(missed - missed_before, sent - sent_before)
        return sent - sent_before - refused, 0.0, refused, 0.0

    def _total(self, until_s: float) -> tuple[float, float]:
        counted = bisect_right(self._totals, (until_s, math.inf, math.inf))
        return self._totals[counted - 1][1:] if counted else (0.0, 0.0)

    def busy_until_s(self, slot: int) -> float:
        return self._now_s  # nobody is told to wait for what waits

    def until(self, known_s: float, window_s: float) -> tuple[float, Floats]:
        """Return what was scraped until then: the last whole second, and the rates up to it."""
        end_s = math.floor(known_s + 1e-9)
        first_s = math.floor(max(self.began_s, end_s - window_s)) + 1
        return float(end_s), np.array([self.rate(float(s)) for s in range(first_s, end_s + 1)])

    def _flow(self, rps: float, seconds: float) -> None:
        for slot, share in self._shares.items():
            sent, missed = self.counts(slot)
            able_rps = self.delivers * self._full_rps[slot]
            self._counted[slot] = (sent + share * rps * seconds, missed)
            beyond = (share * rps - able_rps) * seconds
            self._beyond[slot] = self._beyond.get(slot, 0.0) + beyond
            self._sent += share * rps * seconds

    def _count_missed(self) -> None:
        for slot, beyond in self._beyond.items():
            sent, missed = self.counts(slot)
            self._counted[slot] = (sent, missed + max(0.0, beyond))
            self._missed += max(0.0, beyond)
        self._beyond.clear()
        self._totals.append((self._now_s, self._sent, self._missed))
