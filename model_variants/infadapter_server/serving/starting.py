"""
The start of an executor: loads before it takes requests, as in Clockwork's controller.

Without a memory limit it loads all models, which stay. With one, unknown models are first measured
by one executor with two loads each; and every executor loads some model, since the first executions
of a process are slow. A returning executor starts in the same way.
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
    """
    The start of all executors. `begun`: the scheduler exists, and nothing is left to measure for
    it.
    """

    repository: Repository
    begun: bool = False
    _plans: dict[str, deque[str]] = field(default_factory=dict)
    _measures: str = ""  # the lane that does

    def plan(self, lane: Lane) -> None:
        """Decide what the executor loads; of what it held before the first suffices."""
        there = self.repository.models()
        names = [name for name in (*lane.missed, *there) if name in there]
        if lane.pages is not None:
            names = [] if lane.loaded else names[:1]
        self._plans[lane.name] = deque(n for n in dict.fromkeys(names) if n not in lane.loaded)
        if not self.begun and not self._measures:
            self._measure_on(lane)

    def next(self, lane: Lane) -> str | None:
        """Return the next model to load, or None."""
        plan, there = self._plans[lane.name], self.repository.models()
        while plan:
            if (name := plan.popleft()) in there:
                return name
        return None

    def loads_left(self, lane: Lane) -> int:
        return len(self._plans[lane.name])

    def measures(self, lane: Lane) -> bool:
        """Whether the executor's memory is used for measurements."""
        bounded = lane.pages is not None
        return bounded and lane.name == self._measures and bool(self._plans[lane.name])

    def failed(self, lane: Lane, name: str) -> None:
        """Do not try the load again."""
        plan = self._plans[lane.name]
        if plan and plan[0] == name:
            plan.popleft()

    def over(self, lane: Lane) -> bool:
        """The executor has finished: return whether all that the scheduler needs is known."""
        return lane.pages is None or lane.name == self._measures

    def inherited(self, lane: Lane, heirs: Iterable[Lane]) -> Lane | None:
        """
        Return the executor that continues the measurements of this one; otherwise the next that
        joins does.
        """
        if self.begun or lane.name != self._measures:
            return None
        self._measures, heir = "", next(iter(heirs), None)
        if heir is not None:
            self._measure_on(heir)
        return heir

    def fitting(self, lanes: Iterable[Lane], wanted: Iterable[str] = ()) -> Iterator[str]:
        """Yield models that are loaded nowhere and have room; those in `wanted`, or any."""
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
        """Whether the executor holds more than it may."""
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
