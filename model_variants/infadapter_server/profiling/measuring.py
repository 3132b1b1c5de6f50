"""Measure one allocation: the latency curve, then a capacity for each SLO."""

import math
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field, replace
from typing import Any

from infadapter_profiles.document import ProfileDocument, read_document, write_document
from infadapter_profiles.profile import KnownCapacity, Profile, ProfiledAllocation
from infadapter_profiles.sizes import PodSize
from infadapter_server.profiling.bench import Remembered, ServerBench, Watched
from infadapter_server.profiling.disturbance import once_each
from infadapter_server.profiling.journal import Journal
from infadapter_server.profiling.order import Order
from infadapter_server.profiling.profiler import MIN_SECONDS, OnPhase, ProfileError, measure
from infadapter_server.profiling.search import Search
from infadapter_server.profiling.settling import settles_s
from infadapter_server.profiling.steps import Disturbed
from infadapter_server.profiling.turns import in_turns

CURVE_SHARE = 0.3
"""Share of the time for the curve, if capacities are searched for too."""
_CURVE_TRIES = 2
_FORGETTINGS = 100
NOISY = 0.2
"""Half an interval's width, as a share of the capacity, above which a warning is given."""


@dataclass(slots=True, kw_only=True)
class Measuring:
    """
    The measurement of one allocation. `warnings` are sentences on the result, `said` are sentences
    for the user who waits for it.
    """

    order: Order
    load: Watched
    journal: Journal
    on_phase: OnPhase | None
    look: Callable[[], Awaitable[dict[str, Any]]]  # at what the server shows once it has worked
    point: str | None = None  # that the server is held to
    shown: dict[str, Any] = field(default_factory=dict)  # by the process that the curve is of
    warnings: list[str] = field(default_factory=list)
    said: list[str] = field(default_factory=list)

    async def run(self) -> ProfiledAllocation:
        """Measure. Raises ProfileError or SearchError; finished steps are in the journal."""
        curve = await self._curve()
        assert curve.saturation_rps is not None
        return replace(curve, capacity=await self._capacities(curve.saturation_rps))

    async def _curve(self) -> ProfiledAllocation:
        share = CURVE_SHARE if self.order.goals else 1.0
        seconds = max(MIN_SECONDS, share * self.order.seconds)
        question = {"curve_s": seconds, "seed": self.order.seed, "point": self.point}
        answer = self.journal.recall(question)
        if answer is None:
            curve = _as_document(await self._undisturbed_curve(seconds))
            answer = {"curve": curve, "warnings": self.warnings, "shown": await self.look()}
            self.journal.note(question, answer)
        self.warnings, self.shown = list(answer["warnings"]), answer["shown"]
        # As it is noted, rounded, also the first time: the search's steps follow from it.
        return read_document(answer["curve"]).profile.allocations[0]

    async def _undisturbed_curve(self, seconds: float) -> ProfiledAllocation:
        for _ in range(_CURVE_TRIES):
            measured, failure = await self._tried_curve(seconds)
            disturbances = self.load.take_disturbances()
            if failure is not None and (self.order.force or not disturbances):
                raise failure
            if measured is not None and (self.order.force or not disturbances):
                self.warnings = once_each([*self.warnings, *disturbances])
                return measured
        raise Disturbed(f"Nothing was written: {disturbances[0]}; --force writes it anyway.")

    async def _tried_curve(
        self, seconds: float
    ) -> tuple[ProfiledAllocation | None, ProfileError | None]:
        """Return a curve, or the error that prevented it, which may be due to a disturbance."""
        try:
            measured = await measure(
                self.load,
                seconds=seconds,
                size=PodSize(resources=self.order.resources),
                seed=self.order.seed,
                on_phase=self.on_phase,
            )
        except ProfileError as error:
            return None, error
        return measured, None

    async def _capacities(self, saturation_rps: float) -> tuple[KnownCapacity, ...]:
        bench = Remembered(ServerBench(self.load, saturation_rps), self.journal, self.order.force)
        searches = [
            Search(
                bench=bench,
                goal=goal,
                saturation_rps=saturation_rps,
                seconds=searched_s(self.order),
                seed=1000 * number + self.order.seed,
                force=self.order.force,
                on_phase=self.on_phase,
            )
            for number, goal in enumerate(self.order.goals, start=1)
        ]
        found, drift = await in_turns(searches, self.order.seed)
        self.said += [said for known in found if (said := noisy(known, drift))]
        if self.order.force:
            disturbed = [warning for search in searches for warning in search.warnings]
            self.warnings = once_each([*self.warnings, *disturbed])
        return tuple(found)


def searched_s(order: Order) -> float:
    """Return the time for each SLO, s."""
    return (1 - CURVE_SHARE) * order.seconds / max(1, len(order.goals))


def noisy(known: KnownCapacity, drift: float | None) -> str | None:
    """
    Return a sentence if the interval is too wide for planning; `drift` is the machine's part of it.
    """
    if not known.rps or known.low_rps is None or known.high_rps is None:
        return None
    half = (known.high_rps - known.low_rps) / 2 / known.rps
    if half <= NOISY:
        return None
    how = f"known to {half:.0%} only" if half < 1 else "not known"
    said = f"The capacity at {1e3 * known.latency_s:g} ms is {how}, too wide to plan with"
    if drift is not None and drift > NOISY / 2:
        return (
            f"{said}: as this machine's speed drifts, the next run may be {math.exp(drift):.3g} "
            "times as fast, or as slow. Take a quieter machine, or several minutes."
        )
    longer = max(2, round((half / NOISY) ** 2))
    return f"{said}: take {longer} times as long, or a quieter machine."


def hasty(known: KnownCapacity, saturation_rps: float, seconds: float) -> str | None:
    """
    Return a sentence if the time was too short for a queue as long as the SLO to build up and
    drain.
    """
    enough_s = _FORGETTINGS * settles_s(known.latency_s, saturation_rps)
    if not known.rps or seconds >= enough_s:
        return None
    return (
        f"{seconds:.3g} s are short for {1e3 * known.latency_s:g} ms, in which this server answers "
        f"{known.latency_s * saturation_rps:.0f} requests: queues that long are rare and last, and "
        f"the capacity was lowered by a guess for those. Take {enough_s:.0f} s for this SLO."
    )


def moved(known: KnownCapacity, before: ProfiledAllocation | None) -> str | None:
    """Return a sentence if this result is outside the interval of an earlier run."""
    if before is None:
        return None
    for old in before.capacity:
        same = (old.latency_s, old.percentile) == (known.latency_s, known.percentile)
        if same and old.low_rps is not None and old.high_rps is not None:
            if old.low_rps <= known.rps <= old.high_rps:
                return None
            return (
                f"The capacity at {1e3 * known.latency_s:g} ms was {old.rps:.4g} requests/s "
                f"({old.low_rps:.4g} to {old.high_rps:.4g}) when it was last measured: the machine "
                "or the server is another now."
            )
    return None


def _as_document(measured: ProfiledAllocation) -> dict[str, object]:
    profile = Profile(variant="curve", accuracy=0, load_time_s=0, allocations=(measured,))
    return write_document(ProfileDocument(profile=profile))
