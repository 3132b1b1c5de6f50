"""Ours at several budgets and surges, and others within the budget: one line of results each."""

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from functools import partial
from pathlib import Path

import numpy as np

from benchmarks.budgets.traces import part_of
from benchmarks.policies.cases import scenario as paper_scenario
from infadapter.progress import Progress
from infadapter_simulator.compare.jobs import Job, Jobs, do_all
from infadapter_simulator.compare.naming import OURS, candidates
from infadapter_simulator.measures import Measures, measured
from infadapter_simulator.policies.hindsight.static_best import ranked
from infadapter_simulator.scenario import Scenario, Server
from infadapter_simulator.simulate import Workload, simulate
from infadapter_simulator.world.queues import ON_TIME
from infadapter_simulator.world.world import World
from infadapter_solver import CPU

STATIC_SAFEST = "static-safest"
"""Of the static plans, the one with the fewest violations: what a quota can do at all."""

SURGES = (0.0, 0.25, 1.0)  # of the budget
HOUR_S = 3600


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """One run, or the best in hindsight of a policy's candidates."""

    trace: str
    budget: int  # cores
    surge: float  # of the budget; others than ours hold none
    policy: str
    seed: int

    @property
    def key(self) -> str:
        return json.dumps(asdict(self))


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """What it came to."""

    chosen: str
    violations: float
    worst_hour: float
    objective: float
    mean_cores: float
    peak_cores: float
    core_seconds_over: float


def find(trace: str, asked: Sequence[Asked], folder: Path | None) -> list[Row]:
    """All of one trace, spread over processes. Raises TraceError."""
    budgets = sorted({(one.budget, one.surge) for one in asked})
    jobs = tuple(
        Job(
            scenario=budgets.index((one.budget, one.surge)),
            seed=one.seed,
            work=partial(found, one.policy),
        )
        for one in asked
    )
    scenarios = tuple(scenario(*each) for each in budgets)
    part = part_of(trace, folder)
    done = do_all(Jobs(part=part, scenarios=scenarios, jobs=jobs), Progress())
    return [one for one in done if isinstance(one, Row)]


def scenario(budget: int, surge: float) -> Scenario:
    paper = paper_scenario(Server.SAME)
    objective = replace(paper.objective, budget={CPU: 1000 * budget})
    surge_m = round(1000 * surge * budget)
    return replace(paper, objective=objective, max_surge={CPU: surge_m})


def found(policy: str, scenario: Scenario, load: Workload, seed: int) -> Row:
    if policy == STATIC_SAFEST:
        return _static_safest(scenario, load, seed)
    tried = [each(scenario, load, seed) for each in candidates(policy, scenario)]
    chosen, world = max(tried, key=lambda one: measured(one[1]).objective)
    return _row("" if policy == OURS else chosen, world)


def _static_safest(scenario: Scenario, load: Workload, seed: int) -> Row:
    """Ranked as if every answer were worth the same and cores cost nothing."""
    alike = tuple(replace(variant, accuracy=1.0) for variant in scenario.variants)
    free = replace(scenario.objective, cost_weight=0.0)
    plans = ranked(replace(scenario, variants=alike, objective=free), load)
    rows = [_row(plan.name, simulate(plan, scenario, load, seed)) for plan in plans]
    return min(rows, key=lambda row: (row.violations, -row.objective))


def _row(chosen: str, world: World) -> Row:
    measures: Measures = measured(world)
    return Row(
        chosen=chosen,
        violations=measures.violations,
        worst_hour=_worst_hour(world),
        objective=measures.objective,
        mean_cores=measures.mean_cores,
        peak_cores=measures.peak_cores_held,
        core_seconds_over=measures.core_seconds_over_budget,
    )


def _worst_hour(world: World) -> float:
    """The violations of the hour that has the most, by the time of arrival."""
    hours = (world.traffic.arrivals_s // HOUR_S).astype(int)
    missed = np.bincount(hours, weights=world.traffic.outcomes() != ON_TIME)
    return float((missed / np.maximum(np.bincount(hours), 1)).max())
