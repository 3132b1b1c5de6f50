"""
Compare policies on the same arrivals, for one or several seeds.

Results do not depend on the number of processes, nor on the order in which they finish.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import partial
from itertools import product

from infadapter_simulator.compare.jobs import Job, Jobs, Tell, do_all
from infadapter_simulator.compare.naming import HINDSIGHT, ONE_POD, STATIC_BEST, candidates
from infadapter_simulator.compare.results import Bounds, Comparison, Result
from infadapter_simulator.measures import Measures, measured
from infadapter_simulator.part import Part
from infadapter_simulator.policies.hindsight.relaxation import upper_bound
from infadapter_simulator.policies.hindsight.unavoidable import missed
from infadapter_simulator.scenario import Scenario
from infadapter_simulator.series import Series, series_of
from infadapter_simulator.simulate import Workload


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    """A policy in a scenario, under its own name."""

    name: str
    policy: str
    scenario: Scenario


@dataclass(frozen=True, slots=True, kw_only=True)
class Found:
    """The result of one run."""

    candidate: str
    measures: Measures
    series: Series | None


def compare(
    scenario: Scenario,
    policies: Sequence[str],
    part: Part,
    seeds: Sequence[int],
    tell: Tell,
    *,
    with_regret: bool = True,
    with_series: bool = False,
) -> Comparison:
    """
    Compare the policies. Raises UnknownPolicy, TraceError, BrokenProcessPool and errors of
    planning.
    """
    unasked = [HINDSIGHT] if with_regret and HINDSIGHT not in policies else []
    cases = [Case(name=name, policy=name, scenario=scenario) for name in [*policies, *unasked]]
    results, bounds = run(
        cases, part, seeds, tell, with_series=with_series, with_bracket=with_regret
    )
    hindsight = next((result for result in results if result.name == HINDSIGHT), None)
    if with_regret and hindsight:
        results = tuple(
            result if result.name == ONE_POD else _with_regret(result, hindsight, bounds)
            for result in results  # the bracket is of the pods that all others have
        )
    return Comparison(
        part=part,
        scenario=scenario,
        seeds=tuple(seeds),
        results=results[: len(policies)],
        hindsight=hindsight,
        bounds=bounds,
    )


def run(
    cases: Sequence[Case],
    part: Part,
    seeds: Sequence[int],
    tell: Tell,
    *,
    with_series: bool = False,
    with_bracket: bool = False,
) -> tuple[tuple[Result, ...], tuple[Bounds, ...]]:
    """Return the results in the order of the cases, and the bounds of the first scenario."""
    keys = [
        (at, seed, index)
        for seed, (at, case) in product(seeds, enumerate(cases))
        for index in range(len(candidates(case.policy, case.scenario)))
    ]
    # What takes the longest is begun first, so that no process works alone in the end.
    keys.sort(key=lambda key: cases[key[0]].policy not in (HINDSIGHT, STATIC_BEST))
    jobs = [
        Job(scenario=at, seed=seed, work=partial(_found, cases[at].policy, index, with_series))
        for at, seed, index in keys
    ]
    jobs += [Job(scenario=0, seed=seed, work=partial(_bounds, with_bracket)) for seed in seeds]
    scenarios = tuple(case.scenario for case in cases)
    done = do_all(Jobs(part=part, scenarios=scenarios, jobs=tuple(jobs)), tell)
    tried: dict[tuple[int, int], list[Found]] = {}
    for (at, seed, _), one in zip(keys, done, strict=False):
        if isinstance(one, Found):
            tried.setdefault((at, seed), []).append(one)
    results = tuple(
        _result(case, [tried[at, seed] for seed in seeds]) for at, case in enumerate(cases)
    )
    return results, tuple(one for one in done if isinstance(one, Bounds))


def best(tried: Sequence[Found]) -> Found:
    """Return the run with the highest objective."""
    return max(tried, key=lambda found: found.measures.objective)


def _found(
    policy: str, index: int, with_series: bool, scenario: Scenario, load: Workload, seed: int
) -> Found:
    name, world = candidates(policy, scenario)[index](scenario, load, seed)
    series = series_of(world) if with_series else None
    return Found(candidate=name, measures=measured(world), series=series)


def _bounds(with_bracket: bool, scenario: Scenario, load: Workload, seed: int) -> Bounds:
    return Bounds(
        requests=len(load.arrivals_s),
        upper=upper_bound(scenario, load) if with_bracket else None,
        missed=missed(scenario, load),
    )


def _with_regret(result: Result, hindsight: Result, bounds: Sequence[Bounds]) -> Result:
    """Add, per seed, how far the objective is below the two sides of the bracket."""
    found = zip(result.measures, hindsight.measures, bounds, strict=True)
    regretted = (
        replace(
            own,
            regret=_below(own.objective, schedule.objective),
            regret_at_most=_below(own.objective, bound.upper),
        )
        for own, schedule, bound in found
    )
    return replace(result, measures=tuple(regretted))


def _below(objective: float, yardstick: float | None) -> float | None:
    return 1 - objective / yardstick if yardstick and yardstick > 0 else None


def _result(case: Case, tried: Sequence[Sequence[Found]]) -> Result:
    """Return the result of a case from its candidates' runs by seed."""
    found = [best(each) for each in tried]
    had_choice = len(tried[0]) > 1 or case.policy == STATIC_BEST
    return Result(
        name=case.name,
        measures=tuple(one.measures for one in found),
        chosen=tuple(one.candidate for one in found) if had_choice else (),
        series=found[0].series,
    )
