"""The search for a capacity: the largest rate at which no more than epsilon is missed.

First a bracket, by short windows that step away from a guess; then windows on both sides of what
all of them together say (a stochastic approximation), interleaved so that a machine that gets
slower meanwhile is not taken for a slope. Nothing here is in milliseconds of one machine: windows
last as many SLOs, and hold as many requests, as it takes.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass, field

from infadapter_profiles.profile import KnownCapacity
from infadapter_server.profiling.crossing import Window, expected, line, with_interval
from infadapter_server.profiling.settling import lowered, settles_s, too_high
from infadapter_server.profiling.steps import Bench, Goal, Seen, Step, failing

LEAST_WINDOWS, MOST_WINDOWS = 6, 10
_MISSES = 3.0  # expected in a window at the capacity
_SLOS = 10.0  # a window is at least so many SLOs long: a queue moves about as fast as that
_WARM_UP_SLOS = 5.0
_WARM_UP_SHARE = 0.1  # of a window
_BRACKET_SHARE = 0.35  # of the time
_BRACKET_REQUESTS = 1.5  # times 1 / epsilon
_APART = 0.2  # of strain, to each side
_FARTHEST = 0.1  # of the logarithm of the rate, from the crossing
_LOW, _HIGH = -1.0, 0.7  # strains beyond which a window says only which side it is on
_SETTLINGS = 12.0  # a window that begins with an empty queue finds too few long ones
_BUSY = 0.5  # of the saturation
_IDLE = 0.02  # of the saturation: what is late there is late at any rate
_SPOILT = 1 / 3  # of the windows

OnPhase = Callable[[str, float], None]
"""Told what comes next, and how many seconds that takes."""


class SearchError(Exception):
    """No capacity can be said; the message is one sentence."""


class Disturbed(SearchError):
    """Something else than the server decided what was measured."""


@dataclass(slots=True, kw_only=True)
class Search:
    """One search, for one goal, in about so many seconds."""

    bench: Bench
    goal: Goal
    saturation_rps: float
    seconds: float
    seed: int
    force: bool = False
    on_phase: OnPhase | None = None
    warnings: list[str] = field(default_factory=list)
    spent_s: float = 0.0
    steps: int = 0
    spoilt: int = 0

    async def run(self) -> KnownCapacity:
        """Raises SearchError."""
        start_rps = await self._bracket()
        if start_rps == 0.0:
            return _none(self.goal)
        windows: list[Window] = []
        number, window_s = self._plan(start_rps)
        at = start = expected(self.goal, start_rps)
        for turn in range(number):
            side = -1 if turn % 2 == 0 else 1
            rate_rps = at.rps * math.exp(side * min(_APART / at.slope, _FARTHEST))
            windows.append(await self._window(rate_rps, window_s))
            at = line(windows, self.goal, start)
        found = with_interval(windows, self.goal, start)
        step_s = window_s + self._warm_up_s(window_s)
        return lowered(found, too_high(self.goal, self.saturation_rps, self.seconds, step_s))

    async def _bracket(self) -> float:
        """A rate near the capacity: by short windows, from a guess. 0 where nothing is in time."""
        rate_rps = guess_rps(self.goal, self.saturation_rps)
        held, broke = 0.0, math.inf
        while rate_rps >= _IDLE * self.saturation_rps:
            enough_s = _BRACKET_REQUESTS / self.goal.epsilon / rate_rps
            length_s = min(max(enough_s, _SLOS * self.goal.slo_s), self._most_s())
            strain = (await self._window(rate_rps, length_s)).strain(self.goal)
            nearer = rate_rps * math.exp(-strain / expected(self.goal, rate_rps).slope)
            over = self.spent_s > _BRACKET_SHARE * self.seconds
            busy = rate_rps >= _BUSY * self.saturation_rps  # else one service may be too long
            if (_LOW < strain < _HIGH or over) and (busy or strain <= 0):
                return nearer
            held = rate_rps if strain <= _LOW else held
            broke = rate_rps if strain >= _HIGH else broke
            between = math.sqrt(held * broke) if held and broke < math.inf else None
            rate_rps = between or (min(nearer, 1.3 * held) if held else min(nearer, 0.7 * broke))
        return 0.0

    def _most_s(self) -> float:
        """A window's length when only the fewest fit into the time."""
        return (1 - _BRACKET_SHARE) * self.seconds / LEAST_WINDOWS

    def _plan(self, rate_rps: float) -> tuple[int, float]:
        """How many windows, and how long each is."""
        rest_s = max(self.seconds - self.spent_s, (1 - _BRACKET_SHARE) * self.seconds)
        enough_s = max(
            _MISSES / self.goal.epsilon / rate_rps,
            _SLOS * self.goal.slo_s,
            _SETTLINGS * settles_s(self.goal.slo_s, self.saturation_rps),
        )
        number = min(max(int(rest_s / enough_s), LEAST_WINDOWS), MOST_WINDOWS)
        window_s = rest_s / number - self._warm_up_s(rest_s / number)
        if rate_rps * window_s * self.goal.epsilon < 0.5:
            raise SearchError(
                f"{self.seconds:.3g} s were too short to see misses of {self.goal.epsilon:.2%} at "
                f"{rate_rps:.3g} requests/s; take longer, "
                f"{2 * LEAST_WINDOWS * _MISSES / self.goal.epsilon / rate_rps:.0f} s for this SLO."
            )
        return number, window_s

    def _warm_up_s(self, window_s: float) -> float:
        settled_s = 3 * settles_s(self.goal.slo_s, self.saturation_rps)
        enough_s = max(_WARM_UP_SLOS * self.goal.slo_s, settled_s)
        return max(_WARM_UP_SHARE * window_s, min(enough_s, window_s / 3))

    async def _window(self, rate_rps: float, length_s: float) -> Window:
        """A window that was not spoilt; those that were are thrown away and taken again.

        They count neither as steps nor as time: a run that goes on where it was knows of none.
        """
        step = self._step(rate_rps, length_s)
        while True:
            seen = await self._taken(step)
            if seen.spoilt is not None:
                self.warnings.append(seen.spoilt)
                self.spoilt += 1
            if seen.spoilt is None or self.force:
                break
            if self.spoilt > _SPOILT * MOST_WINDOWS:
                raise Disturbed(f"Nothing was written: {seen.spoilt}; --force writes it anyway.")
        if failing(seen):
            raise SearchError(
                f"{seen.failed} of {seen.sent} requests at {rate_rps:.4g} requests/s failed:"
                " look whether the server still runs, and at its log."
            )
        self.steps += 1
        self.spent_s += step.seconds
        return Window(rate_rps, seen)

    def _step(self, rate_rps: float, length_s: float) -> Step:
        warm_up_s = self._warm_up_s(length_s)
        return Step(
            goal=self.goal,
            rate_rps=rate_rps,
            seconds=length_s + warm_up_s,
            warm_up_s=warm_up_s,
            seed=self.seed + self.steps,
        )

    async def _taken(self, step: Step) -> Seen:
        if self.on_phase is not None:
            what = f"{1e3 * self.goal.slo_s:g} ms: {step.rate_rps:.4g} requests/s"
            self.on_phase(what, step.seconds)
        return await self.bench.take(step)


def guess_rps(goal: Goal, saturation_rps: float) -> float:
    """Where M/D/1 in heavy traffic has its capacity: waiting decays by 2 (1 - load) a service."""
    services = goal.slo_s * saturation_rps
    load = 1 - math.log(1 / goal.epsilon) / (2 * max(services, 1e-9))
    return saturation_rps * min(max(load, 0.3), 0.93)


def _none(goal: Goal) -> KnownCapacity:
    return KnownCapacity(
        latency_s=goal.slo_s,
        percentile=goal.percentile,
        rps=0.0,
        low_rps=0.0,
        high_rps=0.0,
        missed_ratio=goal.epsilon,
    )
