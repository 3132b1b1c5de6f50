"""
The start of an executor: loads before it takes requests, as Clockwork's controller has them.

Without a bound it loads all models, which stay. With one, what isn't known is measured first, by
one executor and two loads each; and every executor loads something, since the first executions of
a process are slow. One that comes back has the same start.
"""

from collections import deque
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from math import inf

from infadapter_server.serving.lanes import Lane
from infadapter_server.serving.repository import Repository

__all__ = ["Start"]


@dataclass(slots=True)
class Start:
    """`begun`: there is a scheduler, and nothing left to measure for it."""

    repository: Repository
    begun: bool = False
    _plans: dict[str, deque[str]] = field(default_factory=dict)
    _measures: str = ""  # the lane that does

    def plan(self, lane: Lane) -> None:
        """What it loads; of what it lost, the first is as good as any."""
        there = self.repository.models()
        names = [name for name in (*lane.missed, *there) if name in there]
        if lane.pages is not None:
            names = [] if lane.loaded else names[:1]
        self._plans[lane.name] = deque(n for n in dict.fromkeys(names) if n not in lane.loaded)
        if not self.begun and not self._measures:
            self._measure_on(lane)

    def next(self, lane: Lane) -> str | None:
        """The model that it loads next; None if there is nothing left for it."""
        plan, there = self._plans[lane.name], self.repository.models()
        while plan:
            if (name := plan.popleft()) in there:
                return name
        return None

    def loads_left(self, lane: Lane) -> int:
        return len(self._plans[lane.name])

    def measures(self, lane: Lane) -> bool:
        """Its memory is for what it measures."""
        bounded = lane.pages is not None
        return bounded and lane.name == self._measures and bool(self._plans[lane.name])

    def failed(self, lane: Lane, name: str) -> None:
        """It isn't tried a second time."""
        plan = self._plans[lane.name]
        if plan and plan[0] == name:
            plan.popleft()

    def over(self, lane: Lane) -> bool:
        """This one has nothing left to do: is all known that the scheduler begins with?"""
        return lane.pages is None or lane.name == self._measures

    def inherited(self, lane: Lane, heirs: Iterable[Lane]) -> Lane | None:
        """Who goes on with what this one was to measure; else the next that comes."""
        if self.begun or lane.name != self._measures:
            return None
        self._measures, heir = "", next(iter(heirs), None)
        if heir is not None:
            self._measure_on(heir)
        return heir

    def fitting(self, lanes: Iterable[Lane], wanted: Iterable[str] = ()) -> Iterator[str]:
        """Who is nowhere and has room; of all, if nobody in particular is wanted."""
        served = self.repository.models()
        free = {lane.name: self._free(lane, served) for lane in lanes if lane.joined}
        wanted = tuple(wanted) or (*self.repository.pinned(), *served)
        for name in dict.fromkeys(name for name in wanted if name in served):
            pages, roomiest = (
                self.repository.kernel_model(name).pages,
                max(free, key=free.__getitem__),
            )
            if not self.repository.standing(name).holders and pages <= free[roomiest]:
                free[roomiest] -= pages
                yield name

    def overfull(self, lane: Lane) -> bool:
        """It holds more than it may."""
        return self._free(lane, lane.loaded) < 0

    def _free(self, lane: Lane, served: Iterable[str]) -> float:
        if lane.pages is None:
            return inf
        standing = self.repository.standing
        held = (name for name in served if lane.name in standing(name).holders)
        return lane.pages - sum(self.repository.kernel_model(name).pages for name in held)

    def _measure_on(self, lane: Lane) -> None:
        self._measures = lane.name
        unmeasured = self.repository.unmeasured()
        if lane.pages is not None and unmeasured:
            self._plans[lane.name] = deque(name for name in unmeasured for _ in range(2))
