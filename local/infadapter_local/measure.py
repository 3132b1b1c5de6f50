"""Long measurements of the demo's variants, for the profiles that ship."""

import asyncio
import time
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass

from infadapter_local.asking import says_ok, short_session
from infadapter_local.pods import Start
from infadapter_local.processes import Child
from infadapter_local.router import free_ports
from infadapter_local.spec import NAME
from infadapter_profiles.profile import ProfiledAllocation
from infadapter_profiles.sizes import PodSize
from infadapter_profiles.wire import MODELS_PATH, READY_PATH
from infadapter_server.loadgen.bodies import glyph_bodies
from infadapter_server.loadgen.endpoint import Endpoint
from infadapter_server.profiling.profiler import HttpLoad, measure
from infadapter_solver.problem import CPU

SIZES = (100, 200, 300, 400, 600, 800, 1000)
"""Pod sizes of the profiles that ship, millicores; sizes in between are interpolated."""

SMALLEST = {"glyph-4": 200, "glyph-5": 300}
"""Smallest sizes, millicores. On smaller ones a single inference takes about as long as the SLO."""

_REQUESTS = 600  # per size, so that every rate has the hundred that a p99 needs
SETTLE_S = 0.3  # until a new quota is in force, with a margin
_START_LIMIT_S = 60.0

BATCH_SIZE = 8
"""Largest batch of the measured servers, and so of the planned ones."""

OnStep = Callable[[str, float], None]
"""Called with the next step and its duration, s."""


@dataclass(frozen=True, slots=True)
class Server:
    """A server that is ready, and its load generator."""

    child: Child
    load: HttpLoad
    load_s: float

    async def resize(self, millicores: int) -> None:
        """
        Set the quota and wait until it is in force. Raises OSError, also if there are no quotas.
        """
        self.child.set_quota(millicores)
        await asyncio.sleep(SETTLE_S)


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
            await server.resize(millicores)
            size = PodSize(resources={CPU: millicores}, batch_size=BATCH_SIZE)
            measured.append(await measure(server.load, seconds=enough_s, size=size))
    return measured[::-1], server.load_s


@asynccontextmanager
async def running(
    start: Start, name: str, words: Sequence[str], millicores: int
) -> AsyncIterator[Server]:
    """Yield a server that is ready; `words` are its arguments. Raises ProcessFailed or OSError."""
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
    """Return the server's arguments for one network, under the service's name."""
    return ["--variant", variant, "--model", NAME]


async def _until_ready(child: Child, port: int) -> None:
    until_s = time.monotonic() + _START_LIMIT_S
    async with short_session() as session:
        while child.running and time.monotonic() < until_s:
            if await says_ok(session, f"http://127.0.0.1:{port}{READY_PATH}"):
                return
            await asyncio.sleep(0.02)
    raise child.failure("did not become ready")
