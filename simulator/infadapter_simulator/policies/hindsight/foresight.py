"""The ways in which a clairvoyant may use what it knows, and the plans that they lead to."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from itertools import product

import numpy as np

from infadapter_simulator.policies.hindsight.fluid import problem
from infadapter_simulator.scenario import Scenario
from infadapter_simulator.world.queues import Floats
from infadapter_solver import Plan, PodGroup, Variant, solve

HEADROOMS = (0.70, 0.75, 0.80, 0.85, 0.90, 0.95, 1.00, 1.05)
WINDOWS_S = (10, 30, 60)
STATISTICS = ("mean", "max")
MOST_VIOLATIONS = 0.003
"""Of the ways that keep to it the best is the clairvoyant."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Foresight:
    """One way to use the knowledge of all arrivals."""

    headroom: float
    window_s: int
    statistic: str

    def __str__(self) -> str:
        return f"clairvoyant[{self.headroom:.2f},{self.window_s}s,{self.statistic}]"

    def demands(self, rates: Floats) -> list[float]:
        """By window, the rate to plan for."""
        windows = [rates[i : i + self.window_s] for i in range(0, len(rates), self.window_s)]
        return [float(w.max() if self.statistic == "max" else w.mean()) for w in windows]


def ways() -> Iterator[Foresight]:
    for headroom, window_s, statistic in product(HEADROOMS, WINDOWS_S, STATISTICS):
        yield Foresight(headroom=headroom, window_s=window_s, statistic=statistic)


@dataclass(slots=True)
class Plans:
    """Plans by demand and by what ran before, which costs no start; each solved once."""

    scenario: Scenario
    variants: tuple[Variant, ...]
    known: dict[tuple[int, tuple[object, ...]], Plan] = field(default_factory=dict)

    def in_turn(self, demands_rps: Sequence[float]) -> list[Plan]:
        plans: list[Plan] = []
        for demand_rps in demands_rps:
            plans.append(self._plan(int(np.ceil(demand_rps)), plans[-1].groups if plans else ()))
        return plans

    def _plan(self, rate: int, before: tuple[PodGroup, ...]) -> Plan:
        key = rate, tuple((g.target, g.allocation.size, g.pods) for g in before)
        if key not in self.known:
            whole = problem(self.scenario, self.variants, float(rate), before)
            self.known[key] = solve(whole)
        return self.known[key]
