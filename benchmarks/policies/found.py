"""What the cache says of one case, by policy."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from statistics import fmean

from benchmarks.policies.cache import Cache, Record
from benchmarks.policies.cases import CASES, Case
from benchmarks.policies.runs import UPPER, rivals, sources_of
from infadapter_simulator.compare.naming import HINDSIGHT, OURS
from infadapter_simulator.compare.results import Result
from infadapter_simulator.measures import Measures
from infadapter_simulator.report.facts import CLEARLY


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """A policy, or the best choice of a kind of policies."""

    choice: str
    objective: float
    violations: float


class CaseFound:
    def __init__(self, case: Case, cache: Cache) -> None:
        self.case = case
        self.is_stale = False
        policies = (OURS, HINDSIGHT, UPPER, *rivals(case.scenario()))
        self._records = {policy: self._latest(cache, policy) for policy in policies}

    def _latest(self, cache: Cache, policy: str) -> list[Record]:
        now = sources_of(policy)
        found = cache.latest(self.case.name, policy, now)
        self.is_stale = self.is_stale or any(r.key.sources != now for r in found)
        return found

    @property
    def has_ours(self) -> bool:
        return bool(self._records[OURS])

    @property
    def mean_rps(self) -> float | None:
        bounds = self._records[UPPER]
        return (
            fmean((r.values["requests"] or 0) / (r.values["seconds"] or 1) for r in bounds)
            if bounds
            else None
        )

    @property
    def upper(self) -> float | None:
        bounds = self._records[UPPER]
        return fmean(r.values["objective"] or 0 for r in bounds) if bounds else None

    @property
    def unavoidable(self) -> float | None:
        bounds = self._records[UPPER]
        return fmean(r.values["violations"] or 0 for r in bounds) if bounds else None

    def yardsticks(self) -> dict[int, Measures]:
        """The best schedule in hindsight, by seed."""
        found = {record.seed: record.measures for record in self._records[HINDSIGHT]}
        return dict(sorted(found.items()))

    def ours(self) -> Result:
        """With regret on the seeds for which the best schedule is known."""
        return _result(OURS, with_regret(self._records[OURS], self.yardsticks()))

    def hindsight(self) -> Result | None:
        """On the seeds of ours."""
        seeds = {record.seed for record in self._records[OURS]}
        yardsticks = [found for seed, found in self.yardsticks().items() if seed in seeds]
        if not yardsticks:
            return None
        return _result(HINDSIGHT, yardsticks)

    def beaten(self) -> int:
        """On how many seeds ours is better than what should be the best."""
        return sum(m.regret is not None and m.regret < -CLEARLY for m in self.ours().measures)

    def answers(self, policy: str, seeds: Sequence[int]) -> list[Answer]:
        """One of each of its candidates, over these seeds."""
        by_index: dict[int, list[Record]] = {}
        for record in self._records[policy]:
            if record.seed in seeds:
                by_index.setdefault(record.key.index, []).append(record)
        return [_answer(records) for records in by_index.values() if len(records) == len(seeds)]

    def best_of(self, kinds: Sequence[str]) -> Answer | None:
        """In hindsight, over the seeds on which all were run."""
        seeds = self.rival_seeds()
        policies = [
            policy
            for policy in self._records
            if policy in kinds or policy.startswith(tuple(f"{kind}-resnet" for kind in kinds))
        ]
        answers = [answer for policy in policies for answer in self.answers(policy, seeds)]
        return max(answers, key=lambda answer: answer.objective, default=None)

    def rival_seeds(self) -> tuple[int, ...]:
        rival = self._records[rivals(self.case.scenario())[0]]
        return tuple(sorted({record.seed for record in rival}))


def with_regret(own: Sequence[Record], yardsticks: dict[int, Measures]) -> list[Measures]:
    def regret(record: Record) -> float | None:
        yardstick = yardsticks.get(record.seed)
        return 1 - record.measures.objective / yardstick.objective if yardstick else None

    ordered = sorted(own, key=lambda record: record.seed)
    return [replace(record.measures, regret=regret(record)) for record in ordered]


def all_found(cache: Cache) -> list[CaseFound]:
    return [found for case in CASES.values() if (found := CaseFound(case, cache)).has_ours]


def _result(name: str, measures: Sequence[Measures]) -> Result:
    return Result(name=name, measures=tuple(measures), chosen=(), series=None)


def _answer(records: Sequence[Record]) -> Answer:
    return Answer(
        choice=records[0].candidate,
        objective=fmean(record.measures.objective for record in records),
        violations=fmean(record.measures.violations for record in records),
    )
