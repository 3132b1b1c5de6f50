"""A running server under the load of a search, monitored for other load."""

import dataclasses
import json
from collections.abc import Sequence
from dataclasses import dataclass, field

from infadapter_server.profiling.aside import aside
from infadapter_server.profiling.disturbance import Reading, Watch
from infadapter_server.profiling.journal import Journal
from infadapter_server.profiling.profiler import Load
from infadapter_server.profiling.steps import Bench, Seen, Step, backlog, failing, seen
from infadapter_workload.outcomes import GIVEN_UP, Outcome


@dataclass(slots=True)
class Watched:
    """A load generator that detects other load during its own."""

    load: Load
    watch: Watch
    disturbances: list[str] = field(default_factory=list)

    async def flood(self, seconds: float) -> Sequence[Outcome]:
        before = await aside(self.watch.read)
        outcomes = await self.load.flood(seconds)
        await self._judge(before, outcomes)
        return outcomes

    async def poisson(
        self,
        rate_rps: float,
        seconds: float,
        *,
        seed: int,
        max_backlog: int,
        slo_s: float | None = None,
    ) -> Sequence[Outcome]:
        before = await aside(self.watch.read)
        outcomes = await self.load.poisson(
            rate_rps, seconds, seed=seed, max_backlog=max_backlog, slo_s=slo_s
        )
        await self._judge(before, outcomes)
        if any(outcome.error in GIVEN_UP for outcome in outcomes):
            await self.load.settle()
        return outcomes

    async def settle(self) -> None:
        await self.load.settle()

    async def _judge(self, before: Reading, outcomes: Sequence[Outcome]) -> None:
        after = await aside(self.watch.read)
        if disturbed := self.watch.disturbed(before, after, len(outcomes)):
            self.disturbances.append(disturbed)

    def take_disturbances(self) -> list[str]:
        """Return the disturbances since the last call."""
        found, self.disturbances = self.disturbances, []
        return found


@dataclass(frozen=True, slots=True)
class ServerBench:
    """Executes the steps of a search on a server."""

    load: Watched
    saturation_rps: float

    async def take(self, step: Step) -> Seen:
        outcomes = await self.load.poisson(
            step.rate_rps,
            step.seconds,
            seed=step.seed,
            max_backlog=backlog(step.rate_rps, step.goal.slo_s, self.saturation_rps),
            slo_s=step.goal.slo_s,
        )
        return seen(outcomes, step, next(iter(self.load.take_disturbances()), None))


@dataclass(frozen=True, slots=True)
class Remembered:
    """
    A bench that executes only the steps that the journal lacks. Disturbed and failed steps are
    recorded only if they count: otherwise the same command would read them again, and end the same
    way for ever.
    """

    bench: Bench
    journal: Journal
    force: bool = False

    async def take(self, step: Step) -> Seen:
        question = json.loads(json.dumps(dataclasses.asdict(step)))
        if (answer := self.journal.recall(question)) is not None:
            lists = {name: tuple(answer[name]) for name in ("tail", "alone_s")}
            return Seen(**{**answer, **lists})
        found = await self.bench.take(step)
        if not failing(found) and (self.force or found.spoilt is None):
            self.journal.note(question, json.loads(json.dumps(dataclasses.asdict(found))))
        return found
