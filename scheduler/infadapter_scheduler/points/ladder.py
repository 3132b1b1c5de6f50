"""
The points of one model: their estimates, and what admission assumes.

Admission promises by the fastest allowed point for each batch size. For every set of allowed points
there is one table (`Costs`); all tables share what is learnt.
"""

from collections.abc import Iterable, Mapping
from dataclasses import replace
from math import inf
from weakref import WeakValueDictionary

from infadapter_scheduler.estimate import WindowMean
from infadapter_scheduler.model import REFRESH, Choices, Costs, Model, bound_by, fastest_s
from infadapter_scheduler.points.policy import Timed

MOST_FLOORS = 256
"""Number of requests' accuracy floors that are cached."""


class Ladder:
    """
    The points. `costs(floor)` is the table for a request with that floor; None if no point reaches
    it.
    """

    def __init__(self, model: Model) -> None:
        self.model = model
        self.load = WindowMean(model.load_s)
        self._windows = [_windows(point.execution_s) for point in model.points]
        self._timed = [self._now(number) for number in range(len(model.points))]
        self._allowed = frozenset(range(len(model.points)))
        self._floor = -inf
        self._tables: WeakValueDictionary[tuple[int, ...], Costs] = WeakValueDictionary()
        self._by_floor: dict[float, Costs | None] = {}

    def costs(self, floor: float = 0.0) -> Costs | None:
        if floor not in self._by_floor:
            if len(self._by_floor) >= MOST_FLOORS:
                self._by_floor.clear()
            numbers = self._reaching(self._allowed, max(floor, self._floor))
            self._by_floor[floor] = self._table(numbers) if numbers else None
        return self._by_floor[floor]

    def allow(self, names: Iterable[str] | None, floor: float) -> Costs:
        """Restrict new requests; accepted ones keep the points they were promised."""
        allowed = self._numbers(names)
        numbers = self._reaching(allowed, floor)
        if not numbers:
            best = self.model.points[max(allowed)]
            raise ValueError(
                f"no allowed point of {self.model.name} reaches an accuracy of {floor:g}: "
                f"the best is {best.name} with {best.accuracy:g}"
            )
        self._allowed, self._floor = allowed, floor
        self._by_floor.clear()
        costs = self._by_floor[0.0] = self._table(numbers)
        return costs

    def learn(self, number: int, size: int, seconds: float) -> None:
        window, known_s = self._windows[number][size], self._timed[number].seconds[size]
        window.add(seconds)
        if abs(window.mean - known_s) > REFRESH * known_s:
            self._moved([number])

    def refute(self, number: int, size: int, seconds: float) -> None:
        """Replace what was learnt, and cap other points by what is consistent with it."""
        ratio = seconds / self.model.points[number].execution_s[size]
        for windows, point in zip(self._windows, self.model.points, strict=True):
            bound_by(windows, point.execution_s, ratio)
        for larger, window in self._windows[number].items():
            window.bound(max(1.0, larger / size) * seconds)
        self._windows[number][size].restart(seconds)
        self._moved(range(len(self._windows)))

    def guess(self, number: int, size: int, seconds: float) -> None:
        """As `Costs.guess`; ignored if the point has no batches of that size."""
        if size in self._windows[number]:
            self._windows[number][size].guess(seconds)
            self._moved([number])

    def seed(self, name: str | None, execution_s: Mapping[int, float]) -> None:
        """Replace the measurements of one point by a profile."""
        numbers = self._numbers(None if name is None else [name])
        if len(numbers) > 1:
            raise ValueError(f"which operating point of {self.model.name} was profiled?")
        for number in numbers:
            windows = self._windows[number]
            windows.update({b: WindowMean(execution_s[b]) for b in windows if b in execution_s})
        self._moved(numbers)

    def reload(self, load_s: float) -> None:
        """Set the profile of the load, which is common to all points."""
        self.load = WindowMean(load_s)
        for costs in list(self._tables.values()):
            costs.load = self.load

    def scale(self, factor: float, each_s: float) -> None:
        self.load.scale(factor)
        for windows in self._windows:
            for size, window in windows.items():
                window.scale(factor, size * each_s)
        self._moved(range(len(self._windows)))

    def _numbers(self, names: Iterable[str] | None) -> frozenset[int]:
        known = {point.name: number for number, point in enumerate(self.model.points)}
        wanted = list(known if names is None else names)
        unknown = [name for name in wanted if name not in known]
        if unknown or not wanted:
            raise ValueError(
                f"{self.model.name} has no operating point {', '.join(unknown) or 'of that kind'}; "
                f"it has {', '.join(known)}"
            )
        return frozenset(known[name] for name in wanted)

    def _reaching(self, numbers: Iterable[int], floor: float) -> tuple[int, ...]:
        points = self.model.points
        return tuple(number for number in sorted(numbers) if points[number].accuracy >= floor)

    def _table(self, numbers: tuple[int, ...]) -> Costs:
        found = self._tables.get(numbers)
        if found is None:
            points = [self.model.points[number] for number in numbers]
            found = Costs(replace(self.model, execution_s=fastest_s(points)))
            found.load = self.load
            found.choices = Choices(self.learn, self.refute, self.guess, numbers)
            self._tables[numbers] = found
            self._renew(found, found.choices)
        return found

    def _moved(self, numbers: Iterable[int]) -> None:
        """Recompute the tables that contain these points."""
        for number in numbers:
            self._timed[number] = self._now(number)
        changed = set(numbers)
        for costs in list(self._tables.values()):
            if costs.choices is not None and not changed.isdisjoint(costs.choices.numbers):
                self._renew(costs, costs.choices)

    def _renew(self, costs: Costs, choices: Choices) -> None:
        choices.points = tuple(self._timed[number] for number in choices.numbers)
        for size in costs.sizes:
            able = [point for point in choices.points if size in point.seconds]
            fastest = min(able, key=lambda point: (point.seconds[size], -point.accuracy))
            choices.fastest[size] = fastest.number
            costs.windows[size] = self._windows[fastest.number][size]
        costs.tabulate()

    def _now(self, number: int) -> Timed:
        point = self.model.points[number]
        means = {size: window.mean for size, window in self._windows[number].items()}
        return Timed(number, point.name, point.accuracy, means)


def _windows(execution_s: Mapping[int, float]) -> dict[int, WindowMean]:
    return {size: WindowMean(execution_s[size]) for size in sorted(execution_s)}
