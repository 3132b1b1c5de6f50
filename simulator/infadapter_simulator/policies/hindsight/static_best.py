"""
The best static choice: a set of pods that never changes, chosen in hindsight.

All sets of up to three variants within the budget are ranked by a fluid model of the whole trace:
each second's requests go to the most accurate pods up to their full speed, and in pods with
operating points to the most accurate point. The best sets are simulated request by request, and the
best objective wins, whatever its violations.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from infadapter_profiles.sizes import Segment
from infadapter_simulator.measures import Measures, measured
from infadapter_simulator.policies.hindsight.pod_sets import full_speed
from infadapter_simulator.policies.hindsight.static_options import variant_sets
from infadapter_simulator.policies.hindsight.static_plan import StaticPlan
from infadapter_simulator.scenario import Scenario
from infadapter_simulator.simulate import Workload, simulate
from infadapter_simulator.world.queues import Floats
from infadapter_simulator.world.world import World
from infadapter_solver import PodGroup

SIMULATED, SIMULATED_OF_LONG = 50, 10
LONG_S = 6 * 3600


@dataclass(frozen=True, slots=True)
class Chosen:
    policy: StaticPlan
    world: World
    measures: Measures


def static_best(scenario: Scenario, workload: Workload, seed: int) -> Chosen:
    most = SIMULATED_OF_LONG if workload.seconds > LONG_S else SIMULATED
    tried = _tried(ranked(scenario, workload, most), scenario, workload, seed)
    return max(tried, key=lambda chosen: chosen.measures.objective)


def _tried(
    plans: Sequence[StaticPlan], scenario: Scenario, workload: Workload, seed: int
) -> Iterator[Chosen]:
    for policy in plans:
        world = simulate(policy, scenario, workload, seed)
        yield Chosen(policy, world, measured(world))


def ranked(scenario: Scenario, workload: Workload, most: int = SIMULATED) -> list[StaticPlan]:
    """Return the best plans by the fluid model, the best first."""
    fluid = _fluid(scenario, workload)
    found: list[tuple[float, tuple[PodGroup, ...]]] = []
    for options in variant_sets(scenario):
        values, picks = _values(fluid, scenario, options)
        for at in np.argsort(-values, kind="stable")[:most]:
            groups = tuple(groups[i] for groups, i in zip(options, picks[at], strict=True))
            found.append((float(values[at]), groups))
    found.sort(key=lambda one: -one[0])
    return [StaticPlan(groups) for _, groups in found[:most]]


@dataclass(frozen=True, slots=True)
class _Fluid:
    """The share of all requests that a speed serves: linear between the rates that occur."""

    rates: Floats
    served: Floats

    def share(self, rps: Floats) -> Floats:
        return np.interp(rps, self.rates, self.served)


def _fluid(scenario: Scenario, workload: Workload) -> _Fluid:
    counts = np.histogram(workload.arrivals_s, bins=np.arange(workload.seconds + 1))[0]
    seconds = np.bincount(counts)  # by rate
    rates = np.arange(len(seconds), dtype=np.float64)
    as_busy = np.cumsum(seconds[::-1])[::-1]  # seconds with at least this rate
    served = np.concatenate([[0.0], np.cumsum(as_busy[1:].astype(np.float64))])
    return _Fluid(rates, served / max(served[-1], 1.0))


def _values(
    fluid: _Fluid, scenario: Scenario, options: Sequence[Sequence[PodGroup]]
) -> tuple[Floats, np.ndarray[tuple[int, ...], np.dtype[np.intp]]]:
    """
    Return the values of all combinations of one group per variant that fit the budget, and the
    combinations.
    """
    picks = np.indices([len(groups) for groups in options]).reshape(len(options), -1).T
    picks = picks[_within(scenario, options, picks)]
    accuracy, speed, cost = np.zeros(len(picks)), np.zeros(len(picks)), np.zeros(len(picks))
    for groups, pick in zip(options, picks.T, strict=True):
        for rps, each in _by_segment(scenario, groups):
            before = fluid.share(speed)
            speed += rps[pick]
            accuracy += each[pick] * (fluid.share(speed) - before)
        cost += np.array([scenario.objective.price_of(group.resources) for group in groups])[pick]
    ratio = cost / (scenario.objective.price_of(scenario.budget) or 1.0)
    return (
        scenario.objective.accuracy_weight * accuracy - scenario.objective.cost_weight * ratio,
        picks,
    )


def _within(
    scenario: Scenario,
    options: Sequence[Sequence[PodGroup]],
    picks: np.ndarray[tuple[int, ...], np.dtype[np.intp]],
) -> np.ndarray[tuple[int, ...], np.dtype[np.bool_]]:
    fits = np.ones(len(picks), dtype=np.bool_)
    for name in {name for groups in options for group in groups for name in group.resources}:
        used = sum(
            np.array([group.resources.get(name, 0) for group in groups])[pick]
            for groups, pick in zip(options, picks.T, strict=True)
        )
        fits &= used <= scenario.budget.get(name, 0)
    return fits


def _by_segment(scenario: Scenario, groups: Sequence[PodGroup]) -> Iterator[tuple[Floats, Floats]]:
    """Yield each group's rate at full speed and its accuracy, by operating point."""
    segments = [_segments(scenario, group) for group in groups]
    for number in range(max(map(len, segments))):
        own = [each[number] if number < len(each) else Segment(0.0, 0.0) for each in segments]
        yield np.array([s.rps for s in own]), np.array([s.accuracy for s in own])


def _segments(scenario: Scenario, group: PodGroup) -> tuple[Segment, ...]:
    name = group.target.variant
    speed = scenario.speed(name, group.allocation.size)
    return full_speed(scenario.variant(name), [speed] * group.pods)
