"""
Measures the demo's variants on this machine: at length for the profiles that ship, briefly to
rescale those to the machine of whoever runs the demo.
"""

import asyncio
import time
from collections.abc import AsyncIterator, Callable, Iterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace

import numpy as np

from infadapter_local.asking import says_ok, short_session
from infadapter_local.cgroups import Cores, Quotas
from infadapter_local.pods import Start
from infadapter_local.processes import Child
from infadapter_local.router import free_ports
from infadapter_local.spec import NAME
from infadapter_profiles.profile import Profile, ProfiledAllocation
from infadapter_profiles.sizes import PodSize
from infadapter_profiles.wire import MODELS_PATH, READY_PATH
from infadapter_server.loadgen.bodies import glyph_bodies
from infadapter_server.loadgen.endpoint import Endpoint
from infadapter_server.profiling.profiler import HttpLoad, measure, measure_saturation
from infadapter_solver.problem import CPU

SIZES = (100, 200, 300, 400, 600, 800, 1000)
"""Millicores of the profiles that ship; the sizes between them are interpolated."""

SMALLEST = {"glyph-3": 200, "glyph-4": 300, "glyph-5": 400}
"""Below, a single inference takes about as long as the SLO allows."""

_NEAR = 0.8  # of a measured size, what calibration may take for it: it varies by about as much
_REQUESTS = 600  # on each size, so that every rate sees the hundred that a p99 takes
_CHECK_SIZES = (300, 600)  # millicores; and the largest there is
_CHECK_S = 3.0
SETTLE_S = 0.3  # what a new quota takes, with some room
_START_LIMIT_S = 60.0

BATCH_SIZE = 8
"""The most that the measured servers compute at once, and so those that are planned."""

OnStep = Callable[[str, float], None]
"""Told what comes next, and how many seconds that takes."""


@dataclass(frozen=True, slots=True)
class Server:
    """A server that is ready, and what it is measured with."""

    child: Child
    load: HttpLoad
    load_s: float


@dataclass(frozen=True, slots=True)
class Check:
    """What a short look found of a variant on this machine."""

    load_s: float
    saturation_rps: Mapping[int, float]  # by millicores


async def measure_variant(
    start: Start, variant: str, seconds: float, on_step: OnStep
) -> tuple[list[ProfiledAllocation], float]:
    """Return the profile's allocations and its load time. Raises ProfileError or OSError."""
    measured: list[ProfiledAllocation] = []
    sizes = [size for size in SIZES if size >= SMALLEST.get(variant, 0)]
    async with running(start, variant, variant_words(variant), max(sizes)) as server:
        for millicores in sorted(sizes, reverse=True):
            full_rps = measured[0].saturation_rps if measured else None
            rps = full_rps * millicores / max(sizes) if full_rps else _REQUESTS
            enough_s = max(seconds, _REQUESTS / rps)
            on_step(f"{variant} on {millicores}m", enough_s)
            server.child.set_quota(millicores)
            await asyncio.sleep(SETTLE_S)
            size = PodSize(resources={CPU: millicores}, batch_size=BATCH_SIZE)
            measured.append(await measure(server.load, seconds=enough_s, size=size))
    return measured[::-1], server.load_s


def checked_sizes(limits: Quotas | Cores) -> tuple[int, ...]:
    """
    Small, middle and the largest that a pod can have here, of the sizes in the profiles. Between
    300m and 1000m, profiles of one machine have been a third too high on another.
    """
    had = [size for size in SIZES if limits.has(size)]
    return tuple(size for size in had if size in (*_CHECK_SIZES, had[-1]))


async def check_variant(
    start: Start, variant: str, on_step: OnStep, limits: Quotas | Cores
) -> Check:
    """
    Measure the saturation on a few sizes, and how long a start takes on the smallest: on a whole
    core it is several times as short as on what most pods have. Raises ProfileError or OSError.
    """
    sizes = checked_sizes(limits)
    saturation = {}
    async with running(start, variant, variant_words(variant), sizes[0]) as server:
        for millicores in sizes:
            on_step(f"{variant} on {millicores}m", _CHECK_S + SETTLE_S)
            if limits.resizable:
                server.child.set_quota(millicores)
                await asyncio.sleep(SETTLE_S)
            saturation[millicores] = await measure_saturation(server.load, seconds=_CHECK_S)
    return Check(server.load_s, saturation)


def rescaled(profile: Profile, check: Check) -> Profile:
    """
    Return the profile as it is on this machine: what was checked, and between that in proportion
    to the quota, which is what CPU-bound servers do.

    Latencies are longer where it is slower. A faster machine's are left: much of them is waiting
    for the next period of the quota, which lasts as long on any machine. A quota on a machine of
    speed s < 1 is s times that quota on the profile's: what is so below the smallest size that was
    measured is left out, for the reason for which it was not measured.

    Raises ValueError where nothing was checked that the profile has.
    """
    sizes, rates = zip(*sorted(_checked(profile, check).items()), strict=True)
    per_millicore = np.array(rates) / sizes
    smallest = min(a.resources[CPU] for a in profile.allocations)

    def rows() -> Iterator[ProfiledAllocation]:
        for own in profile.allocations:
            millicores = own.resources[CPU]
            saturation_rps = millicores * float(np.interp(millicores, sizes, per_millicore))
            speed = saturation_rps / (own.saturation_rps or saturation_rps)
            if millicores * speed >= _NEAR * smallest:
                yield _as_measured(rescaled_row(own, saturation_rps))

    return replace(profile, load_time_s=check.load_s, allocations=tuple(rows()))


def speed_of(profile: Profile, check: Check) -> float:
    """
    The rate of this machine over that of the profile's, over all sizes that were checked.

    Raises ValueError where nothing was checked that the profile has.
    """
    checked = _checked(profile, check)
    known = {a.resources[CPU]: a.saturation_rps or 0.0 for a in profile.allocations}
    return sum(checked.values()) / sum(known[millicores] for millicores in checked)


def _checked(profile: Profile, check: Check) -> dict[int, float]:
    known = {a.resources[CPU] for a in profile.allocations if a.saturation_rps}
    checked = {size: rps for size, rps in check.saturation_rps.items() if size in known}
    if not checked:
        raise ValueError(f"The profile of {profile.variant} lacks the sizes that are checked.")
    return checked


def rescaled_row(allocation: ProfiledAllocation, saturation_rps: float) -> ProfiledAllocation:
    """One size, by what was seen of it."""
    if not allocation.saturation_rps:
        return allocation
    speed = saturation_rps / allocation.saturation_rps
    slower = max(1.0, 1.0 / speed)
    points = tuple(
        replace(
            point,
            rps=point.rps * speed,
            latency_s={p: latency * slower for p, latency in point.latency_s.items()},
        )
        for point in allocation.points
    )
    return replace(allocation, points=points, saturation_rps=saturation_rps)


def _as_measured(allocation: ProfiledAllocation) -> ProfiledAllocation:
    """Profiles that ship may be of servers with another batch limit than that which was checked."""
    return replace(allocation, size=replace(allocation.size, batch_size=BATCH_SIZE))


@asynccontextmanager
async def running(
    start: Start, name: str, words: Sequence[str], millicores: int
) -> AsyncIterator[Server]:
    """Yield a server that is ready; `words` say what it serves. Raises ProcessFailed or OSError."""
    (port,) = free_ports(1)
    began_s = time.monotonic()
    command = ["infadapter-server", *words, "--host", "127.0.0.1", "--port", str(port)]
    command += ["--max-batch", str(BATCH_SIZE)]
    child = await start(f"{name}-measured", command, millicores)
    try:
        await _until_ready(child, port)
        load_s = time.monotonic() - began_s
        path = f"{MODELS_PATH}/{NAME}/infer"
        endpoint = Endpoint(host="127.0.0.1", port=port, path=path)
        yield Server(child, HttpLoad(endpoint=endpoint, bodies=glyph_bodies(64, seed=0)), load_s)
    finally:
        await child.end()


def variant_words(variant: str) -> list[str]:
    """Of the command line, what is served: one network, under the service's name."""
    return ["--variant", variant, "--model", NAME]


async def _until_ready(child: Child, port: int) -> None:
    until_s = time.monotonic() + _START_LIMIT_S
    async with short_session() as session:
        while child.running and time.monotonic() < until_s:
            if await says_ok(session, f"http://127.0.0.1:{port}{READY_PATH}"):
                return
            await asyncio.sleep(0.02)
    raise child.failure("did not become ready")
