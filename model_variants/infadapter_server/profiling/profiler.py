"""
Measure a running server: its saturation, then its latency percentiles at lower rates.

Open loop with Poisson arrivals and latencies as seen by the client. This is the method of
InfAdapter's authors (EuroMLSys'23), except that their latencies are interpolated from a server's
histogram with coarse buckets.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Protocol

from infadapter_profiles.profile import Point, ProfiledAllocation
from infadapter_profiles.sizes import PodSize
from infadapter_profiles.wire import DEADLINE_HEADER
from infadapter_server.loadgen.client import replay
from infadapter_server.loadgen.closed_loop import flood
from infadapter_server.loadgen.endpoint import Endpoint
from infadapter_server.profiling.percentiles import (
    FRACTIONS,
    kept_up,
    plan_rates,
    point_of,
    saturation_rps,
)
from infadapter_workload.arrivals import constant_rate, given_count
from infadapter_workload.outcomes import GIVEN_UP, Outcome

MIN_SECONDS = 1.0
CLIENTS = 8  # of the flood
_FLOOD_SHARE = 0.2  # of the time
_FLOOD_LIMIT_S = 10.0
_DRAIN_SHARE = 0.05  # of the time, for what is still under way at the end of a rate
_FULL_QUEUE = 128  # requests: at 0.95 of saturation, one in a million finds so many in M/D/1
_FULL_QUEUE_S = 0.5  # of work: fast servers have more waiting after a pause of the machine
_TIMEOUT_SLOS = 10.0
_SETTLE_TRIES, _SETTLE_S = 10, 0.05
_TOO_MANY_REFUSED = 0.05
_TOO_MANY_FAILED = 0.01

OnPhase = Callable[[str, float], None]
"""Called with the next phase and its duration, s."""


class ProfileError(Exception):
    """The server cannot be measured; the message is one sentence."""


class Load(Protocol):
    """Operations of the profiler on a server."""

    async def flood(self, seconds: float) -> Sequence[Outcome]:
        """Keep the server busy without a pause."""

    async def poisson(
        self,
        rate_rps: float,
        seconds: float,
        *,
        seed: int,
        max_backlog: int,
        slo_s: float | None = None,
    ) -> Sequence[Outcome]:
        """
        Send Poisson arrivals; stop when more than max_backlog requests are unanswered. With an SLO,
        each request states its deadline, as one from a router does.
        """

    async def settle(self) -> None:
        """
        Wait until the server has processed the requests that were given up, before the next
        measurement.
        """


@dataclass(frozen=True, slots=True, kw_only=True)
class HttpLoad:
    """Load on a server's infer route."""

    endpoint: Endpoint
    bodies: Sequence[bytes]
    timeout_s: float = 10.0
    clients: int = CLIENTS  # more than the server's batch size, or it never fills one

    async def flood(self, seconds: float) -> Sequence[Outcome]:
        return await flood(
            host=self.endpoint.host,
            port=self.endpoint.port,
            path=self.endpoint.path,
            bodies=self.bodies,
            concurrency=self.clients,
            duration_s=seconds,
            timeout_s=self.timeout_s,
        )

    async def poisson(
        self,
        rate_rps: float,
        seconds: float,
        *,
        seed: int,
        max_backlog: int,
        slo_s: float | None = None,
    ) -> Sequence[Outcome]:
        if slo_s is None:
            arrivals_s = given_count(round(rate_rps * seconds), seconds, seed=seed)
        else:
            arrivals_s = constant_rate(rate_rps, seconds, seed=seed)
        return await replay(
            host=self.endpoint.host,
            port=self.endpoint.port,
            path=self.endpoint.path,
            bodies=self.bodies,
            arrivals_s=arrivals_s,
            timeout_s=max(self.timeout_s, _TIMEOUT_SLOS * (slo_s or 0.0)),
            max_backlog=max_backlog,
            headers={} if slo_s is None else {DEADLINE_HEADER: f"{1e3 * slo_s:g}"},
        )

    async def settle(self) -> None:
        for _ in range(_SETTLE_TRIES):
            if any(o.answered for o in await self._alone()):
                return

    async def _alone(self) -> Sequence[Outcome]:
        return await flood(
            host=self.endpoint.host,
            port=self.endpoint.port,
            path=self.endpoint.path,
            bodies=self.bodies[:1],
            concurrency=1,
            duration_s=_SETTLE_S,
            timeout_s=self.timeout_s,
        )


async def measure(
    load: Load,
    *,
    seconds: float,
    size: PodSize,
    fractions: Sequence[float] = FRACTIONS,
    seed: int = 0,
    on_phase: OnPhase | None = None,
) -> ProfiledAllocation:
    """Measure one allocation, in about so many seconds (from 1 on).

    The last point is at the highest rate that was tried and that the server kept up with.

    Raises ProfileError when the server answers nothing, or fails.
    """
    flood_s = min(_FLOOD_LIMIT_S, _FLOOD_SHARE * seconds)
    saturation = await measure_saturation(load, seconds=flood_s, on_phase=on_phase)
    plan = plan_rates(saturation, (seconds - flood_s) * (1 - _DRAIN_SHARE), fractions)
    points: list[Point] = []
    for number, (rate_rps, rate_s) in enumerate(plan):
        if on_phase is not None:
            on_phase(f"{rate_rps:.4g} requests/s", rate_s)
        full = max(_FULL_QUEUE, round(_FULL_QUEUE_S * saturation))
        outcomes = await load.poisson(rate_rps, rate_s, seed=seed + number, max_backlog=full)
        _check(outcomes, rate_rps)
        if not kept_up(outcomes):
            break  # the latency there depends on how long one looks, and higher rates are worse
        point = point_of(outcomes, rate_s)
        if point is not None and point.latency_s:
            points.append(point)
        if point is None or point.refused_ratio > _TOO_MANY_REFUSED:
            break
    if not points:
        raise ProfileError(
            f"{seconds:g} s were too short to find a rate that the server keeps up with, and to "
            "see enough requests at it; take longer."
        )
    return ProfiledAllocation(size=size, saturation_rps=saturation, points=tuple(points))


async def measure_saturation(
    load: Load, *, seconds: float, on_phase: OnPhase | None = None
) -> float:
    """
    Return the requests per second that the server answers while one is always waiting. Raises
    ProfileError if it answers none.
    """
    if on_phase is not None:
        on_phase("saturation", seconds)
    outcomes = await load.flood(seconds)
    saturation = saturation_rps(outcomes, seconds)
    if saturation <= 0:
        _check(outcomes, None)
        raise ProfileError(f"The server answered nothing within {seconds:g} s; take longer.")
    return saturation


def _check(outcomes: Sequence[Outcome], rate_rps: float | None) -> None:
    """Raise ProfileError for a server that fails, as opposed to one that is slow."""
    wrong = [o for o in outcomes if not (o.answered or o.refused or o.error in GIVEN_UP)]
    if len(wrong) > _TOO_MANY_FAILED * len(outcomes):
        where = "of a flood" if rate_rps is None else f"at {rate_rps:.4g} requests/s"
        reason = wrong[0].error or f"HTTP {wrong[0].code}"
        raise ProfileError(f"{len(wrong)} of {len(outcomes)} requests {where} failed: {reason}.")
