"""The profile rows of one size: one, or one for each measured operating point."""

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from infadapter_profiles.profile import OperatingPoint, ProfiledAllocation
from infadapter_server.profiling.about import accuracy_of
from infadapter_server.profiling.allowed import Allowed, one_request_s
from infadapter_server.profiling.bench import Watched
from infadapter_server.profiling.journal import Journal
from infadapter_server.profiling.measuring import Measuring
from infadapter_server.profiling.order import Order
from infadapter_server.profiling.points import spread
from infadapter_server.profiling.profiler import OnPhase, ProfileError
from infadapter_server.profiling.steps import SearchError
from infadapter_server.profiling.target import ServerFacts


@dataclass(slots=True, kw_only=True)
class Rows:
    """
    Measures the rows in turn. `warnings` are sentences on the results, `said` are sentences for the
    user who waits for them.
    """

    order: Order
    load: Watched
    journal: Journal
    on_phase: OnPhase | None
    look: Callable[[], Awaitable[dict[str, Any]]]
    warnings: list[str] = field(default_factory=list)
    said: list[str] = field(default_factory=list)
    shown: list[dict[str, Any]] = field(default_factory=list)  # after each curve

    async def plain(self) -> ProfiledAllocation:
        """
        Measure the row of a server without operating points. Raises ProfileError or SearchError, as
        the methods below do.
        """
        return await self._measured(self.on_phase, None)

    async def chosen(
        self, allowed: Allowed, points: Sequence[OperatingPoint], body: bytes, most: int
    ) -> tuple[OperatingPoint, ...]:
        """
        Return as many points as there is time for, spread by the latency of a single request. The
        choice is recorded: when the command continues, the points of a finished size are in the
        file already.
        """
        question = {"points": "chosen"}
        names = self.journal.recall(question)
        if names is None:
            names = [point.name for point in points]
            if len(names) > most:
                times_s = {name: await one_request_s(allowed, name, body) for name in names}
                names = list(spread(times_s, most))
            self.journal.note(question, names)
        known = {point.name: point for point in allowed.points}
        return tuple(known[name] for name in names)

    async def at_points(
        self, allowed: Allowed, points: Sequence[OperatingPoint], facts: ServerFacts
    ) -> tuple[list[OperatingPoint], list[ProfiledAllocation]]:
        """
        Measure each point. Return the points with their accuracies, from the server or the labelled
        set, and the rows.
        """
        found, rows = [], []
        for number, point in enumerate(points, start=1):
            async with allowed.only(point.name):
                found.append(await self._judged(point, facts))
                said = self._said(f"{number} of {len(points)}, {point.name}")
                rows.append(await self._measured(said, point.name))
        return found, rows

    async def _judged(self, point: OperatingPoint, facts: ServerFacts) -> OperatingPoint:
        if self.order.labelled is None:
            return point
        accuracy = await accuracy_of(self.order, facts, self.journal, point.name)
        return point if accuracy is None else replace(point, accuracy=accuracy)

    async def _measured(self, on_phase: OnPhase | None, point: str | None) -> ProfiledAllocation:
        measuring = Measuring(
            order=self.order,
            load=self.load,
            journal=self.journal,
            on_phase=on_phase,
            look=self.look,
            point=point,
        )
        try:
            row = await measuring.run()
        except (ProfileError, SearchError) as error:
            if point is None:
                raise
            raise type(error)(f"At the operating point {point}: {error}") from error
        where = "" if point is None else f"{point}: "
        self.warnings += [f"{where}{warning}" for warning in measuring.warnings]
        self.said += [f"{where}{sentence}" for sentence in measuring.said]
        self.shown.append(measuring.shown)
        return replace(row, operating_point=point)

    def _said(self, where: str) -> OnPhase | None:
        on_phase = self.on_phase
        if on_phase is None:
            return None
        return lambda phase, seconds: on_phase(f"{where}: {phase}", seconds)
