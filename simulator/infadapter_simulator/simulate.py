"""Run one policy on one trace from beginning to end."""

from dataclasses import dataclass

import numpy as np

from infadapter_simulator.measures import Measures, measured
from infadapter_simulator.policies.policy import Policy
from infadapter_simulator.scenario import Scenario
from infadapter_simulator.world.of_requests import world_of_requests
from infadapter_simulator.world.queues import Floats
from infadapter_simulator.world.world import World

HISTORY_S = 600
"""Seconds of history that every policy gets if the trace has none before its beginning."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Workload:
    """The arrivals, and the history before them."""

    name: str
    arrivals_s: Floats
    seconds: int
    history_rps: Floats  # by second; the last one ends when the first of the workload begins

    @property
    def first_minute_rps(self) -> float:
        return float(np.searchsorted(self.arrivals_s, min(60, self.seconds))) / min(
            60, self.seconds
        )


def flat_history(mean_rps: float) -> Floats:
    return np.full(HISTORY_S, mean_rps)


def simulate(policy: Policy, scenario: Scenario, workload: Workload, seed: int) -> World:
    """Return the world at the end of the run, from which measures are taken."""
    world = world_of_requests(
        scenario, workload.arrivals_s, workload.history_rps, workload.seconds, seed
    )
    world.resources.queue_limits = policy.queue_limits(world)
    policy.begin(world, workload.first_minute_rps)
    # Policies act at a phase of their own, as they do beside a trace that knows nothing of them.
    act_s = float(np.random.default_rng([seed, 3]).uniform(0, 1))
    while act_s < workload.seconds:
        world.advance(act_s)
        policy.act(world)
        act_s = policy.next_act_s(act_s)
    world.advance(workload.seconds)
    return world


def run(policy: Policy, scenario: Scenario, workload: Workload, seed: int) -> Measures:
    return measured(simulate(policy, scenario, workload, seed))
