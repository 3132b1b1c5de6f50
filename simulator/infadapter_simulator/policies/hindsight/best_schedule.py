"""
The lower side of the bracket: a schedule whose objective is reached by carrying it out.

A dynamic programme knows each second's requests and treats pods as a fluid. The margin by which it
must plan for more than the requests, so that few wait too long, is found by simulation: first one
margin for the whole trace, then block by block, keeping a change where the block improved.
"""

from dataclasses import dataclass
from itertools import product

import numpy as np

from infadapter_simulator.measures import Measures, measured
from infadapter_simulator.policies.hindsight.block_worth import block_worth
from infadapter_simulator.policies.hindsight.planner import Aim, Planner
from infadapter_simulator.policies.hindsight.schedule import Scheduled
from infadapter_simulator.scenario import Scenario
from infadapter_simulator.simulate import Workload, simulate
from infadapter_simulator.world.queues import Floats
from infadapter_simulator.world.world import World

MARGINS = (0.97, 1.0, 1.02, 1.04, 1.07, 1.12)
"""Margins tried first, as factors on the requests."""

CHANGES = (0.03, -0.015, 0.015, -0.03, 0.008, -0.008)
"""Changes of the margins tried afterwards in turn, each first on one half of the blocks."""

BLOCK_S = 30


@dataclass(frozen=True, slots=True)
class Chosen:
    world: World
    measures: Measures


@dataclass(frozen=True, slots=True)
class _Tried:
    """The margins tried, and the objective of each block with them."""

    aim: Aim
    worth: Floats


def best_schedule(scenario: Scenario, workload: Workload, seed: int) -> Chosen:
    return Search(scenario, workload, seed).run()


class Search:
    """The search for one workload; it keeps the best schedule simulated so far."""

    def __init__(self, scenario: Scenario, workload: Workload, seed: int) -> None:
        self._scenario, self._workload, self._seed = scenario, workload, seed
        self._planner = Planner(scenario, workload)
        self._found: list[Chosen] = []  # the best so far

    def run(self) -> Chosen:
        kept = self._alike()
        for change in CHANGES:
            for odd in (0, 1):
                kept = self._moved(kept, change, odd)
        return self._found[0]

    def _alike(self) -> _Tried:
        """Return for each block the best of the margins that are equal for the whole trace."""
        ones = np.ones(self._planner.steps)
        aims = [Aim(margin * ones, evened * ones) for margin, evened in product(MARGINS, (0, 1))]
        tried = [self._try(aim) for aim in aims]
        best = self._by_step(np.array([one.worth for one in tried]).argmax(axis=0))
        at = np.arange(len(ones))
        margins = np.array([aim.margins for aim in aims])[best, at]
        return self._try(Aim(margins, np.array([aim.evened for aim in aims])[best, at]))

    def _moved(self, kept: _Tried, change: float, odd: int) -> _Tried:
        """
        Apply a change to every other block, and keep it where the block and the next one together
        improved.
        """
        blocks = np.arange(len(kept.worth)) % 2 == odd
        margins = kept.aim.margins + change * self._by_step(blocks)
        tried = self._try(Aim(margins, kept.aim.evened))
        gain = tried.worth - kept.worth
        gain[:-1] += gain[1:]
        better = self._by_step(blocks & (gain > 0))
        if not better.any():
            return kept
        again = self._try(Aim(np.where(better, margins, kept.aim.margins), kept.aim.evened))
        return max(kept, again, key=lambda one: one.worth.sum())

    def _try(self, aim: Aim) -> _Tried:
        policy = Scheduled(self._scenario, self._planner.schedule(aim))
        world = simulate(policy, self._scenario, self._workload, self._seed)
        found = Chosen(world, measured(world))
        if not self._found or found.measures.objective > self._found[0].measures.objective:
            self._found = [found]
        return _Tried(aim, block_worth(world, BLOCK_S))

    def _by_step(self, by_block: np.ndarray) -> np.ndarray:
        steps = int(max(1, BLOCK_S / self._planner.step_s))
        return np.repeat(by_block, steps)[: self._planner.steps]
