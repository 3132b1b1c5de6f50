"""
The start of a server of models: loads before anybody is served, as Clockwork's controller has them.

Without a bound each executor loads all models, which stay. With one, what isn't known is measured
first, by two loads each; and every executor loads something, since the first load imports torch.
"""

from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field

from infadapter_server.serving.lanes import Lane
from infadapter_server.serving.repository import Repository

__all__ = ["Start"]


@dataclass(slots=True)
class Start:
    repository: Repository
    _plans: dict[str, deque[str]] = field(default_factory=dict)
    _busy: set[str] = field(default_factory=set)  # lanes with a load under way
    _measures: str = ""  # the lane that does

    @property
    def bounded(self) -> bool:
        return self.repository.pages is not None

    def plan(self, lanes: Sequence[Lane]) -> None:
        names = tuple(self.repository.models())
        for lane in lanes:
            self._plans[lane.name] = deque(names[:1] if self.bounded else names)
        self._measure_on(lanes[0])

    def next(self, lane: Lane) -> str | None:
        """The model that it loads next; None if there is nothing left for it."""
        plan, there = self._plans[lane.name], self.repository.models()
        self._busy.discard(lane.name)
        while plan:
            if (name := plan.popleft()) in there:
                self._busy.add(lane.name)
                return name
        return None

    def loads_left(self, lane: Lane) -> int:
        return len(self._plans[lane.name])

    def failed(self, lane: Lane, name: str) -> None:
        """It isn't tried a second time."""
        plan = self._plans[lane.name]
        if plan and plan[0] == name:
            plan.popleft()

    def over(self, lane: Lane) -> bool:
        """This one has nothing left to do: is all known that the scheduler begins with?"""
        return not self.bounded or lane.name == self._measures

    def failure(self) -> str | None:
        """Why nothing at all can be served."""
        names = self.repository.models()
        failures = [self.repository.standing(name).failure for name in names]
        reasons = [failure.reason for failure in failures if failure is not None]
        return reasons[0] if reasons and len(reasons) == len(failures) else None

    def inherited(self, lost: Lane, lanes: Iterable[Lane]) -> Lane | None:
        """Who goes on with what a lost one was to measure, if it has to be told to."""
        heir = next((lane for lane in lanes if not lane.lost), None)
        if heir is None or lost.name != self._measures:
            return None
        self._measure_on(heir)
        return heir if heir.name not in self._busy else None

    def fitting(self) -> Iterator[str]:
        """Who is pinned, and then as many others as there is room for."""
        free = self.repository.pages
        for name in dict.fromkeys((*self.repository.pinned(), *self.repository.models())):
            pages = self.repository.kernel_model(name).pages
            if free is not None and pages <= free:
                free -= pages
                yield name

    def _measure_on(self, lane: Lane) -> None:
        self._measures = lane.name
        unmeasured = self.repository.unmeasured()
        if self.bounded and unmeasured:
            self._plans[lane.name] = deque(name for name in unmeasured for _ in range(2))
