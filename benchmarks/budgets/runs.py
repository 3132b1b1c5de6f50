"""Ours at several budgets and surges, and others within the budget; the cache has what was run."""

import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from functools import partial
from pathlib import Path
from typing import NamedTuple

import numpy as np

from benchmarks.budgets.traces import part_of
from benchmarks.policies.cache import Cache, Key, Record, write
from benchmarks.policies.cases import scenario as paper_scenario
from benchmarks.policies.sources import digest_of, sources
from infadapter.progress import Progress
from infadapter_simulator.compare.jobs import Job, Jobs, do_all
from infadapter_simulator.compare.naming import candidates
from infadapter_simulator.measures import Measures, measured
from infadapter_simulator.policies.hindsight.static_best import ranked
from infadapter_simulator.scenario import Scenario, Server
from infadapter_simulator.simulate import Workload, simulate
from infadapter_simulator.world.queues import ON_TIME
from infadapter_simulator.world.world import World
from infadapter_solver import CPU

STATIC_SAFEST = "static-safest"
"""Of the static plans, the one with the fewest violations: what a quota can do at all."""

WORST_HOUR = "worst_hour"
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


def found_of(
    trace: str, asked: Sequence[Asked], folder: Path | None, cache: Cache
) -> dict[Asked, Record]:
    """All of one trace, run now unless it is there. Raises TraceError."""
    part = part_of(trace, folder)
    scenarios = {(one.budget, one.surge): scenario(one.budget, one.surge) for one in asked}
    rates = part.played().rates.tobytes().hex()
    keys = {one: _key(one, rates, scenarios[one.budget, one.surge]) for one in asked}
    order = list(scenarios)
    jobs = tuple(
        Job(
            scenario=order.index((one.budget, one.surge)),
            seed=one.seed,
            work=partial(run_one, cache.path, key),
        )
        for one, key in keys.items()
        if (key, one.seed) not in cache.records
    )
    if jobs:
        do_all(Jobs(part=part, scenarios=tuple(scenarios.values()), jobs=jobs), Progress())
        cache.read()
    return {one: cache.records[key, one.seed] for one, key in keys.items()}


def scenario(budget: int, surge: float) -> Scenario:
    paper = paper_scenario(Server.SAME)
    objective = replace(paper.objective, budget={CPU: 1000 * budget})
    surge_m = round(1000 * surge * budget)
    return replace(paper, objective=objective, max_surge={CPU: surge_m})


def _key(one: Asked, rates: str, asked: Scenario) -> Key:
    names = ("compare.candidates", "measures", "part")
    return Key(
        case=f"budgets: {one.trace}",
        policy=one.policy,
        index=0,
        sources=sources(*(f"infadapter_simulator.{name}" for name in names)),
        asked=digest_of(rates, repr(asked)),
    )


def run_one(path: Path, key: Key, scenario: Scenario, load: Workload, seed: int) -> None:
    began_s = time.process_time()
    if key.policy == STATIC_SAFEST:
        found = min(_statics(scenario, load, seed), key=_least_missed)
    else:
        tried = [each(scenario, load, seed) for each in candidates(key.policy, scenario)]
        found = max((_run(*one) for one in tried), key=lambda one: one.measures.objective)
    values = asdict(found.measures) | {WORST_HOUR: found.worst_hour}
    cpu_s = time.process_time() - began_s
    write(path, Record(key=key, seed=seed, candidate=found.name, cpu_s=cpu_s, values=values))


class _Run(NamedTuple):
    name: str
    measures: Measures
    worst_hour: float


def _least_missed(run: _Run) -> tuple[float, float]:
    return run.measures.violations, -run.measures.objective


def _statics(scenario: Scenario, load: Workload, seed: int) -> list[_Run]:
    """Ranked as if every answer were worth the same and cores cost nothing."""
    alike = tuple(replace(variant, accuracy=1.0) for variant in scenario.variants)
    free = replace(scenario.objective, cost_weight=0.0)
    plans = ranked(replace(scenario, variants=alike, objective=free), load)
    return [_run(plan.name, simulate(plan, scenario, load, seed)) for plan in plans]


def _run(name: str, world: World) -> _Run:
    return _Run(name, measured(world), _worst_hour(world))


def _worst_hour(world: World) -> float:
    """The violations of the hour that has the most, by the time of arrival."""
    hours = (world.traffic.arrivals_s // HOUR_S).astype(int)
    missed = np.bincount(hours, weights=world.traffic.outcomes() != ON_TIME)
    return float((missed / np.maximum(np.bincount(hours), 1)).max())
