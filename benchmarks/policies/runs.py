"""What is run, and in which order; what the cache has is not run again."""

import time
from collections.abc import Iterable
from dataclasses import asdict
from functools import partial
from pathlib import Path

from benchmarks.policies.cache import Cache, Key, Record, Values, write
from benchmarks.policies.cases import DAY_HOUR, DAYS, MORNING_HOUR, Case
from benchmarks.policies.sources import digest_of, sources
from infadapter.progress import Progress
from infadapter_simulator.compare.candidates import OF_A_VARIANT, RESEARCH
from infadapter_simulator.compare.jobs import Job, Jobs, do_all
from infadapter_simulator.compare.naming import HINDSIGHT, OURS, STATIC_BEST, candidates
from infadapter_simulator.measures import measured
from infadapter_simulator.part import Part
from infadapter_simulator.policies.hindsight.relaxation import upper_bound
from infadapter_simulator.policies.hindsight.unavoidable import missed
from infadapter_simulator.scenario import Scenario, Server
from infadapter_simulator.simulate import Workload

UPPER = "upper"
FIRST_SEED = 1
HOURS_OF_DAYS = (DAY_HOUR, MORNING_HOUR)

_MADE_OF = {
    OURS: "policies.ours",
    HINDSIGHT: "policies.hindsight.best_schedule",
    STATIC_BEST: "policies.hindsight.static_best",
    UPPER: "policies.hindsight.relaxation",
    **{name: f"policies.{name.replace('-', '_')}" for name in RESEARCH},
    **{kind: f"policies.{kind.split('-')[0]}" for kind in OF_A_VARIANT},
    "vpa-plus": "policies.papers.vpa_plus",
}
_FIRST = (HINDSIGHT, STATIC_BEST, OURS, "kpa")
"""What takes long is begun first, so that no process works alone in the end."""


def kind_of(policy: str) -> str:
    """The policy without the variant that it scales."""
    kinds = [kind for kind in OF_A_VARIANT if policy.startswith(f"{kind}-resnet")]
    return kinds[0] if kinds else policy


def sources_of(policy: str) -> str:
    names = (_MADE_OF[kind_of(policy)], "simulate", "measures", "part")
    return sources(*(f"infadapter_simulator.{name}" for name in names))


def rivals(scenario: Scenario) -> tuple[str, ...]:
    """All but ours and the bracket."""
    scaled = [f"{kind}-{v.name}" for kind in OF_A_VARIANT for v in scenario.variants]
    return (STATIC_BEST, *RESEARCH, *scaled)


class Runs:
    """Of one case."""

    def __init__(self, case: Case, part: Part, cache: Cache) -> None:
        self.case, self.part, self.cache = case, part, cache
        self.scenario = case.scenario()
        trace = (part.trace.rates.tobytes().hex(), str((part.from_s, part.to_s)))
        self.asked = digest_of(*trace, repr(self.scenario))

    def key(self, policy: str, index: int) -> Key:
        return Key(
            case=self.case.name,
            policy=policy,
            index=index,
            sources=sources_of(policy),
            asked=self.asked,
        )

    def do(self, seeds: int, rival_seeds: int) -> None:
        """Ours and the bracket on all seeds."""
        every = range(FIRST_SEED, FIRST_SEED + seeds)
        some = every[:rival_seeds]
        if self.case.server is Server.PUBLISHED:
            self._run(self._all_of((OURS, *rivals(self.scenario)), some))
            return
        if self.case.name in DAYS:
            self._do_day(FIRST_SEED)
            return
        asked = self._all_of(rivals(self.scenario), some)
        asked += self._all_of((OURS, HINDSIGHT), every)
        asked += [(UPPER, 0, seed) for seed in every]
        self._run(asked)

    def _do_day(self, seed: int) -> None:
        """Others only as they were, good on one of two hours."""
        asked = [(OURS, 0, seed), (HINDSIGHT, 0, seed), (UPPER, 0, seed)]
        if self.case.name == DAYS[-1]:
            asked += [(policy, index, seed) for policy, index in self._best_of_hours()]
        self._run(asked)

    def _best_of_hours(self) -> list[tuple[str, int]]:
        """Of each policy and variant, the setting that was the best on an hour."""
        kept = set()
        for hour in HOURS_OF_DAYS:
            for policy in rivals(self.scenario):
                tried = self._latest(hour, policy)
                if tried:
                    kept.add((policy, max(tried, key=lambda r: r.measures.objective).key.index))
        return sorted(kept)

    def _latest(self, case: str, policy: str) -> list[Record]:
        return self.cache.latest(case, policy, sources_of(policy))

    def _all_of(self, policies: Iterable[str], seeds: Iterable[int]) -> list[tuple[str, int, int]]:
        return [
            (policy, index, seed)
            for seed in seeds
            for policy in policies
            for index in range(len(candidates(policy, self.scenario)))
        ]

    def _run(self, asked: Iterable[tuple[str, int, int]]) -> None:
        keys = [(self.key(policy, index), seed) for policy, index, seed in asked]
        missing = [one for one in keys if one not in self.cache.records]
        missing.sort(key=lambda one: (one[1], _turn(one[0].policy)))
        jobs = tuple(
            Job(scenario=0, seed=seed, work=partial(run_one, self.cache.path, key))
            for key, seed in missing
        )
        if jobs:
            work = Jobs(part=self.part, scenarios=(self.scenario,), jobs=jobs)
            do_all(work, Progress())
            self.cache.read()


def _turn(policy: str) -> int:
    kind = kind_of(policy)
    return _FIRST.index(kind) if kind in _FIRST else len(_FIRST)


def run_one(path: Path, key: Key, scenario: Scenario, workload: Workload, seed: int) -> None:
    began_s = time.process_time()
    name, values = _found(key, scenario, workload, seed)
    cpu_s = time.process_time() - began_s
    write(path, Record(key=key, seed=seed, candidate=name, cpu_s=cpu_s, values=values))


def _found(key: Key, scenario: Scenario, workload: Workload, seed: int) -> tuple[str, Values]:
    if key.policy == UPPER:
        requests, seconds = float(len(workload.arrivals_s)), float(workload.seconds)
        return UPPER, {
            "objective": upper_bound(scenario, workload),
            "violations": missed(scenario, workload).unavoidable,
            "requests": requests,
            "seconds": seconds,
        }
    name, world = candidates(key.policy, scenario)[key.index](scenario, workload, seed)
    return name, asdict(measured(world))
