"""
Search for a capacity: the largest rate at which at most epsilon of the requests miss.

First a bracket, by short windows that step away from a guess. Then windows on both sides of the
current estimate from all windows (a stochastic approximation), alternating, so that a machine that
becomes slower meanwhile is not taken for a slope. lengths.py defines their lengths.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass, field

from infadapter_profiles.profile import KnownCapacity
from infadapter_server.profiling.crossing import Window, expected, line
from infadapter_server.profiling.interval import with_interval
from infadapter_server.profiling.lengths import (
    BRACKET_SHARE,
    MOST_WINDOWS,
    Plan,
    bracket_s,
    guess_rps,
    plan,
    warm_up_s,
)
from infadapter_server.profiling.settling import lowered, too_high
from infadapter_server.profiling.steps import (
    Bench,
    Disturbed,
    Goal,
    SearchError,
    Seen,
    Step,
    failing,
)

_BRACKET_REQUESTS = 1.5  # times 1 / epsilon
_APART = 0.2  # of strain, to each side
_FARTHEST = 0.1  # of the logarithm of the rate, from the crossing
_LOW, _HIGH = -1.0, 0.7  # strains beyond which a window says only which side it is on
_BUSY = 0.5  # of the saturation
_IDLE = 0.02  # of the saturation: what is late there is late at any rate
_SPOILT = 1 / 3  # of the windows

OnPhase = Callable[[str, float], None]
"""Called with the next phase and its duration, s."""


@dataclass(slots=True, kw_only=True)
class Search:
    """
    One search for one goal in a given time: it begins, takes windows while any are left, and then
    has a capacity. Between its windows other searches may use the server (turns.py).
    """

    bench: Bench
    goal: Goal
    saturation_rps: float
    seconds: float
    seed: int
    force: bool = False
    on_phase: OnPhase | None = None
    plan: Plan | None = None
    windows: list[Window] = field(default_factory=list)
    warnings: list[str] = field(default_factory=list)
    spent_s: float = 0.0
    steps: int = 0
    spoilt: int = 0

    async def begin(self) -> None:
        """Find the bracket. Raises SearchError, as `take` does."""
        start_rps = await self._bracket()
        if start_rps:
            self.plan = plan(
                self.goal,
                self.saturation_rps,
                start_rps,
                seconds=self.seconds,
                spent_s=self.spent_s,
            )

    @property
    def left(self) -> int:
        return self.plan.number - len(self.windows) if self.plan else 0

    async def take(self) -> Window:
        """Take and return the next window."""
        assert self.plan is not None
        at = line(self.windows, self.goal, self.plan.start) if self.windows else self.plan.start
        side = -1 if len(self.windows) % 2 == 0 else 1
        rate_rps = at.rps * math.exp(side * min(_APART / at.slope, _FARTHEST))
        self.windows.append(await self._window(rate_rps, self.plan.window_s))
        return self.windows[-1]

    def found(self, drift: float | None) -> KnownCapacity:
        """Return the capacity. `drift` is half of the interval of a run's mean speed, if known."""
        if self.plan is None:
            return _none(self.goal)
        known = with_interval(self.windows, self.goal, self.plan.start, self._in_rate(drift))
        by = too_high(self.goal, self.saturation_rps, self.seconds, self.plan.step_s)
        return lowered(known, by)

    def _in_rate(self, drift: float | None) -> float | None:
        """
        Return the drift in terms of the rate, for M/D/1: a faster machine also leaves more time
        below the SLO.
        """
        load = guess_rps(self.goal, self.saturation_rps) / self.saturation_rps
        return None if drift is None else drift / load

    async def _bracket(self) -> float:
        """
        Return a rate near the capacity, by short windows from a guess; 0 if no request is in time.
        """
        rate_rps = guess_rps(self.goal, self.saturation_rps)
        held, broke = 0.0, math.inf
        while rate_rps >= _IDLE * self.saturation_rps:
            enough_s = _BRACKET_REQUESTS / self.goal.epsilon / rate_rps
            length_s = bracket_s(self.goal, enough_s, self.seconds)
            strain = (await self._window(rate_rps, length_s)).strain(self.goal)
            nearer = rate_rps * math.exp(-strain / expected(self.goal, rate_rps).slope)
            over = self.spent_s > BRACKET_SHARE * self.seconds
            busy = rate_rps >= _BUSY * self.saturation_rps  # else one service may be too long
            if (_LOW < strain < _HIGH or over) and (busy or strain <= 0):
                return nearer
            held = rate_rps if strain <= _LOW else held
            broke = rate_rps if strain >= _HIGH else broke
            between = math.sqrt(held * broke) if held and broke < math.inf else None
            rate_rps = between or (min(nearer, 1.3 * held) if held else min(nearer, 0.7 * broke))
        return 0.0

    async def _window(self, rate_rps: float, length_s: float) -> Window:
        """
        Take a window, and again if it was disturbed. Disturbed windows count neither as steps nor
        as time, since a run that continues does not know of them.
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
        settled_s = warm_up_s(self.goal, self.saturation_rps, length_s)
        return Step(
            goal=self.goal,
            rate_rps=rate_rps,
            seconds=length_s + settled_s,
            warm_up_s=settled_s,
            seed=self.seed + self.steps,
        )

    async def _taken(self, step: Step) -> Seen:
        if self.on_phase is not None:
            what = f"{1e3 * self.goal.slo_s:g} ms: {step.rate_rps:.4g} requests/s"
            self.on_phase(what, step.seconds)
        return await self.bench.take(step)


def _none(goal: Goal) -> KnownCapacity:
    return KnownCapacity(
        latency_s=goal.slo_s,
        percentile=goal.percentile,
        rps=0.0,
        low_rps=0.0,
        high_rps=0.0,
        missed_ratio=goal.epsilon,
    )
