"""The execution profile of one model, and what follows from it: batch costs and batch caps."""

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
"""A relative change of an estimate below which tables stay as they are."""

DOUBTED = 0.01
"""Longer than smaller batches together: a size is in doubt. It is tried as if that much shorter."""

STALE = 20
"""Executions of a model: a size that ran within the last so many is known by its own."""


@dataclass(frozen=True, slots=True)
class Model:
    """
    As profiled: seconds by batch size, seconds and pages of its weights. With operating points
    (`with_points`), seconds are those of the fastest one, by batch size.
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
    A model of several points, all in memory together: the weights that they share, and those that
    points have of their own.
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
    """The least that a batch of each size takes, at whichever point."""
    least_s: dict[int, float] = {}
    for point in points:
        for size, seconds in point.execution_s.items():
            least_s[size] = min(seconds, least_s.get(size, seconds))
    return dict(sorted(least_s.items()))


def bound_by(
    windows: Mapping[int, WindowMean], execution_s: Mapping[int, float], ratio: float
) -> None:
    """They take no more than so many times as long as was profiled."""
    for size, window in windows.items():
        window.bound(ratio * execution_s[size])


@dataclass(slots=True)
class Choices:
    """Of a model with points: those that may serve what is counted with one table of costs."""

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
    Estimates of one model as tables. `split_s[n]` is what n requests take in batches of the sizes
    that are served (nothing is padded), `first[n]` the largest batch of that split, which runs
    first, and `ends_s[n][j]` when the j-th of them has its answer. `growing_s[n]` is the most that
    it takes on the way to n: seven can take longer than eight.
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
        What slows one size slows those, too, that have not run lately. A calm load has no use for
        large batches: they would keep what they took on another quota, or when they were warmed
        up, and a burst would be served one by one.
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
        """What was learnt is wrong: of the other sizes, too, what can't be beside this one."""
        bound_by(self.windows, self.model.execution_s, seconds / self.model.execution_s[batch])
        for size, window in self.windows.items():
            window.bound(max(1.0, size / batch) * seconds)
        self.windows[batch].restart(seconds)
        self.tabulate()

    def only_warmed_up(self, size: int) -> bool:
        """Whether what is known of a size is from before the first request, or a profile's."""
        return self.choices is None and size not in self._last_run

    def guess(self, size: int) -> None:
        """A size in doubt may be of use: it takes a little less than smaller ones together."""
        seconds = (1 - DOUBTED) * self.split_s[size]
        if self.choices is None:
            self.windows[size].guess(seconds)
            self.tabulate()
        else:
            self.choices.guess(self.choices.fastest[self.first[size]], size, seconds)

    def guessed(self, point: int, size: int) -> bool:
        """What it is expected to take, nobody has measured."""
        mine = self.choices is None or self.choices.fastest[size] == point
        return mine and self.windows[size].guessed

    def seed(self, execution_s: Mapping[int, float], load_s: float | None) -> None:
        """A profile in place of what was measured; sizes that aren't served don't matter."""
        for size in self.sizes:
            if size in execution_s:
                self.windows[size] = WindowMean(execution_s[size])
        if load_s is not None:
            self.load = WindowMean(load_s)
        self.tabulate()

    def scale(self, factor: float, each_s: float) -> None:
        """Everything takes so many times as long now, and each request so much longer."""
        for size, window in self.windows.items():
            window.scale(factor, size * each_s)
        self.load.scale(factor)
        self.tabulate()

    def cap(self, slo_s: float, buffer: SafetyBuffer, waited: float = 1.0) -> int:
        """
        The batch of the highest throughput with (1 + waited)·t_b + buffer ≤ SLO: whoever comes just
        after a batch has begun waits for that one, or for a share of it where there are other
        executors, and for its own. The smallest where none is that fast.
        """
        if self._caps_of != (buffer.version, waited):
            self._find_caps(buffer, waited)
        return self._caps[bisect_right(self._caps_from_s, round(slo_s, 6))]

    def _find_caps(self, buffer: SafetyBuffer, waited: float) -> None:
        times = 1.0 + waited
        need_s = {b: times * t + buffer.seconds(times * t, t) for b, t in self.seconds.items()}
        self._caps_of, self._caps_from_s = (buffer.version, waited), sorted(set(need_s.values()))
        fitting = ([b for b in need_s if need_s[b] <= slo_s] for slo_s in self._caps_from_s)
        best = [max(fit, key=lambda b: b / self.seconds[b]) for fit in fitting]
        self._caps = [self.sizes[0], *best]

    def growth_s(self, target: int, rate_rps: float) -> float:
        """
        From its start until the first of a batch has its answer, if it is to grow to a size: at
        once when that is reached, but on the way there the last to have come is served last.
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
