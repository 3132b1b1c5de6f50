"""
The best static choice: a set of pods that never changes, chosen in hindsight.

All sets of up to three variants within the budget are ranked by a fluid model of the whole trace:
each second's requests go to the most accurate pods as far as their full speed reaches. The best of
them are simulated request by request, and the best objective wins, whatever its violations are.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import combinations

import numpy as np

from infadapter_operator.acting.shares import Candidate, weights_for
from infadapter_operator.demand import Sample
from infadapter_operator.planning.rates import WINDOWS_S, rate_now_rps
from infadapter_simulator.measures import Measures, measured
from infadapter_simulator.policies.planned import started
from infadapter_simulator.scenario import Scenario
from infadapter_simulator.simulate import Workload, simulate
from infadapter_simulator.world.queues import Floats, Ints
from infadapter_simulator.world.world import World
from infadapter_solver import CPU, Allocation, PodGroup, Target, Variant

LOOK_S = 2.0
"""How often weights may move: as often as ours."""

MOST_VARIANTS = 3
MOST_PLANS = 50_000
"""Of larger spaces only every so-manieth size is tried."""

SIMULATED, SIMULATED_LONG = 50, 10
LONG_S = 6 * 3600


@dataclass(slots=True)
class StaticPlan:
    """These pods for ever; their weights follow the load by the operator's own rule for shares."""

    groups: tuple[PodGroup, ...]
    _sent: Mapping[str, int] = field(default_factory=dict, init=False)

    @property
    def name(self) -> str:
        return f"static-{'+'.join(_said(group) for group in self.groups)}"

    def begin(self, world: World, mean_rps: float) -> None:
        for group in self.groups:
            started(world, group, group.pods, ready=True)
        self._sent = weights_for(_candidates(world), mean_rps, {})
        world.route(self._sent, at_once=True)

    def next_act_s(self, now_s: float) -> float:
        return now_s + LOOK_S

    def act(self, world: World) -> None:
        weights = weights_for(_candidates(world), _rate_now_rps(world), self._sent)
        if weights != self._sent:
            self._sent = weights
            world.route(weights)

    def queue_limits(self, world: World) -> Mapping[tuple[str, int], int] | None:
        return None


@dataclass(frozen=True, slots=True)
class Chosen:
    policy: StaticPlan
    world: World
    measures: Measures


def static_best(scenario: Scenario, workload: Workload, seed: int) -> Chosen:
    most = SIMULATED_LONG if workload.seconds > LONG_S else SIMULATED
    tried = _tried(ranked(scenario, workload, most), scenario, workload, seed)
    return max(tried, key=lambda chosen: chosen.measures.objective)


def _tried(
    plans: Sequence[StaticPlan], scenario: Scenario, workload: Workload, seed: int
) -> Iterator[Chosen]:
    for policy in plans:
        world = simulate(policy, scenario, workload, seed)
        yield Chosen(policy, world, measured(world))


def ranked(scenario: Scenario, workload: Workload, most: int) -> list[StaticPlan]:
    """The best by the fluid model, the best first."""
    fluid = _Fluid.of(scenario, workload)
    best: list[tuple[float, tuple[PodGroup, ...]]] = []
    for sets in _sets(scenario):
        values, chosen = fluid.values(sets)
        for at in np.argsort(-values, kind="stable")[:most]:
            best.append((float(values[at]), tuple(g[i] for g, i in zip(sets, chosen[at]))))
    best.sort(key=lambda one: -one[0])
    return [StaticPlan(groups) for _, groups in best[:most]]
