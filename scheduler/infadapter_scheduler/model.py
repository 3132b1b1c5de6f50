"""The execution profile of one model, and its derived batch costs and batch caps."""

from bisect import bisect_right
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from math import inf, sqrt

from infadapter_profiles.points import Point
from infadapter_scheduler.buffer import SafetyBuffer
from infadapter_scheduler.estimate import WindowMean
from infadapter_scheduler.points.numbered import checked
from infadapter_scheduler.points.policy import Timed

REFRESH = 0.005
"""Relative change of an estimate below which the tables are not recomputed."""

DOUBTED = 0.01
"""
A size that takes longer than smaller batches together is in doubt. A trial assumes it to be faster
by this share.
"""

STALE = 20
"""
Number of the model's executions after which a size follows the others instead of its own
measurements.
"""


@dataclass(frozen=True, slots=True)
class Model:
    """
    A profile: seconds by batch size, and seconds and pages of its weights. With operating points
    (`with_points`) the seconds are those of the fastest point, by batch size.
    """

    name: str
    execution_s: Mapping[int, float]
    load_s: float = 0.0
    pages: int = 0
    points: tuple[Point, ...] = ()


def with_points(
    name: str, points: Sequence[Point], *, load_s: float = 0.0, pages: int = 0
) -> Model:
    """
    Return a model with several points that are in memory together: shared weights, and those of
    each point.
    """
    known = checked(points)
    return Model(
        name,
        fastest_s(known),
        load_s + sum(point.load_s for point in known),
        pages + sum(point.pages for point in known),
        known,
    )


def fastest_s(points: Iterable[Point]) -> dict[int, float]:
    """Return the shortest time of each batch size over the points."""
    least_s: dict[int, float] = {}
    for point in points:
        for size, seconds in point.execution_s.items():
            least_s[size] = min(seconds, least_s.get(size, seconds))
    return dict(sorted(least_s.items()))


def bound_by(
    windows: Mapping[int, WindowMean], execution_s: Mapping[int, float], ratio: float
) -> None:
    """Cap the estimates at `ratio` times the profile."""
    for size, window in windows.items():
        window.bound(ratio * execution_s[size])


@dataclass(slots=True)
class Choices:
    """For a model with points: those that may serve requests of one table of costs."""

    learn: Callable[[int, int, float], None]  # of a point and a size, how long that took
    refute: Callable[[int, int, float], None]  # and what was known before is wrong
    guess: Callable[[int, int, float], None]  # so long it may take
    numbers: tuple[int, ...]
    points: tuple[Timed, ...] = ()
    fastest: dict[int, int] = field(default_factory=dict)  # its number, by batch size
    each_s: float = 0.0  # of the last arrival, at the best batch of the fastest


@dataclass(slots=True, weakref_slot=True, eq=False)
class Costs:
    """
    Estimates of one model as tables.

    `split_s[n]` is the time of n requests in batches of the served sizes (nothing is padded),
    `first[n]` the largest batch of that split, which runs first, and `ends_s[n][j]` when the j-th
    of them has its answer. `growing_s[n]` is the longest time on the way to n, as seven requests
    can take longer than eight.
    """

    model: Model
    sizes: tuple[int, ...] = field(init=False)
    windows: dict[int, WindowMean] = field(init=False)
    load: WindowMean = field(init=False)
    split_s: list[float] = field(init=False)
    first: list[int] = field(init=False)
    ends_s: list[list[float]] = field(init=False)
    growing_s: list[float] = field(init=False)
    seconds: dict[int, float] = field(init=False)  # by batch size
    seconds_each: dict[int, float] = field(init=False)  # a request's share of them
    first_s: list[float] = field(init=False)  # the first of the split
    first_each_s: list[float] = field(init=False)  # a request's share of the first of the split
    split_each_s: list[float] = field(init=False)  # and of all of it
    doubted: tuple[int, ...] = field(init=False)  # sizes for which smaller ones are faster
    choices: Choices | None = field(init=False, default=None)
    _caps: list[int] = field(init=False, default_factory=list)
    _caps_from_s: list[float] = field(init=False, default_factory=list)  # the SLO of each but one
    _caps_of: tuple[int, float] | None = field(init=False, default=None)  # buffer, what is waited
    _runs: int = field(init=False, default=0)
    _last_run: dict[int, int] = field(init=False, default_factory=dict)  # by batch size

    def __post_init__(self) -> None:
        self.sizes = tuple(sorted(self.model.execution_s))
        self.windows = {size: WindowMean(self.model.execution_s[size]) for size in self.sizes}
        self.load = WindowMean(self.model.load_s)
        self.tabulate()

    def learn(self, batch: int, seconds: float) -> None:
        """
        Update the estimate of a size; sizes that have not run lately follow it.

        A calm load has no use for large batches. They would keep the times of another quota or of
        the warm-up, and in a burst requests would be served one by one.
        """
        window = self.windows[batch]
        before_s, settled = window.mean, window.settled
        window.add(seconds)
        self._runs += 1
        self._last_run[batch] = self._runs
        if settled and window.mean != before_s:
            for size, other in self.windows.items():
                if self._runs - self._last_run.get(size, -STALE) > STALE:
                    other.follow(window.mean / before_s)
        if abs(window.mean - self.seconds[batch]) > REFRESH * self.seconds[batch]:
            self.tabulate()

    def refute(self, batch: int, seconds: float) -> None:
        """Replace what was learnt, and cap the other sizes by what is consistent with this one."""
        bound_by(self.windows, self.model.execution_s, seconds / self.model.execution_s[batch])
        for size, window in self.windows.items():
            window.bound(max(1.0, size / batch) * seconds)
        self.windows[batch].restart(seconds)
        self.tabulate()

    def only_warmed_up(self, size: int) -> bool:
        """Whether the size's estimate is from the warm-up or a profile only."""
        return self.choices is None and size not in self._last_run

    def guess(self, size: int) -> None:
        """Assume that a doubted size takes a little less than smaller ones together."""
        seconds = (1 - DOUBTED) * self.split_s[size]
        if self.choices is None:
            self.windows[size].guess(seconds)
            self.tabulate()
        else:
            self.choices.guess(self.choices.fastest[self.first[size]], size, seconds)

    def guessed(self, point: int, size: int) -> bool:
        """Whether the size's time has never been measured."""
        mine = self.choices is None or self.choices.fastest[size] == point
        return mine and self.windows[size].guessed

    def seed(self, execution_s: Mapping[int, float], load_s: float | None) -> None:
        """Replace measurements by a profile; sizes that aren't served are ignored."""
        for size in self.sizes:
            if size in execution_s:
                self.windows[size] = WindowMean(execution_s[size])
        if load_s is not None:
            self.load = WindowMean(load_s)
        self.tabulate()

    def scale(self, factor: float, each_s: float) -> None:
        """Rescale: everything takes `factor` times as long, and each request `each_s` longer."""
        for size, window in self.windows.items():
            window.scale(factor, size * each_s)
        self.load.scale(factor)
        self.tabulate()

    def cap(self, slo_s: float, buffer: SafetyBuffer, waited: float = 1.0) -> int:
        """
        Return the batch size of highest throughput with (1 + waited)·t_b + buffer ≤ SLO.

        A request that comes just after a batch has begun waits for that batch (or, with other
        executors, for a share of it) and for its own. The smallest size if none is fast enough.
        """
        if self._caps_of != (buffer.version, waited):
            self._find_caps(buffer, waited)
        return self._caps[bisect_right(self._caps_from_s, round(slo_s, 6))]

    def overload_cap(
        self, cap: int, slo_s: float, buffer: SafetyBuffer, waited: float, rate_rps: float
    ) -> int:
        """
        Return the batch size of highest throughput that this arrival rate fills in time, at least
        `cap`.

        A batch of b is filled by the arrivals of the last b / rate before it starts, so that only
        these have to be in time: b / rate + t_b + buffer ≤ SLO. Those that come earlier in the
        execution before would have to wait too long, and are refused. In an overload some are
        refused in any case, and a larger batch serves more of them.
        """
        for size in self.sizes:
            seconds, fills_s = self.seconds[size], size / rate_rps
            if self.seconds_each[size] >= self.seconds_each[cap] or fills_s >= waited * seconds:
                continue
            end_s = fills_s + seconds
            if end_s + buffer.seconds(end_s, seconds) <= slo_s:
                cap = size
        return cap

    def _find_caps(self, buffer: SafetyBuffer, waited: float) -> None:
        times = 1.0 + waited
        need_s = {b: times * t + buffer.seconds(times * t, t) for b, t in self.seconds.items()}
        self._caps_of, self._caps_from_s = (buffer.version, waited), sorted(set(need_s.values()))
        fitting = ([b for b in need_s if need_s[b] <= slo_s] for slo_s in self._caps_from_s)
        best = [max(fit, key=lambda b: b / self.seconds[b]) for fit in fitting]
        self._caps = [self.sizes[0], *best]

    def growth_s(self, target: int, rate_rps: float) -> float:
        """
        Return the time from a batch's start until its first member is answered, if it grows to
        `target`. Until it is full, the request that came last is served last.
        """
        need_s = self.first_s[target]
        if self.growing_s[target] <= need_s or rate_rps <= 0:
            return need_s
        for size in range(2, target):
            if self.split_s[size] > need_s:
                later = (size - 1) - sqrt(size - 1)
                need_s = max(need_s, self.split_s[size] - later / rate_rps)
        return need_s

    def tabulate(self) -> None:
        self.seconds = {size: window.mean for size, window in self.windows.items()}
        self.seconds_each = {size: seconds / size for size, seconds in self.seconds.items()}
        self._caps_of = None
        self.split_s, self.first, self.growing_s, self.ends_s = [0.0], [0], [0.0], [[]]
        for n in range(1, max(self.windows) + 1):
            fit = [b for b in self.windows if b <= n]
            best = min(fit, key=lambda b: (self.seconds[b] + self.split_s[n - b], -b))
            self.split_s.append(self.seconds[best] + self.split_s[n - best])
            self.first.append(max(best, self.first[n - best]))
            self.growing_s.append(max(self.growing_s[-1], self.split_s[n]))
            run, run_s = self.first[n], self.seconds[self.first[n]]
            self.ends_s.append([run_s] * run + [run_s + end_s for end_s in self.ends_s[n - run]])
        told = self.seconds.items()
        self.doubted = tuple(b for b, t in told if t > (1 + DOUBTED) * self.split_s[b])
        self.first_s = [0.0, *(self.seconds[size] for size in self.first[1:])]
        self.first_each_s = [inf, *(self.seconds_each[size] for size in self.first[1:])]
        self.split_each_s = [inf, *(self.split_s[n] / n for n in range(1, len(self.split_s)))]
