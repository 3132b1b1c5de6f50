"""One run of the profiler from what is asked for to the file: start, ask, measure, write."""

import os
import platform
import re
from contextlib import nullcontext
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from infadapter_profiles.document import ProfileDocument
from infadapter_profiles.files import find_profile, save_profile
from infadapter_profiles.profile import Profile, ProfiledAllocation
from infadapter_profiles.sizes import PodSize
from infadapter_profiles.wire import MODELS_PATH
from infadapter_server.loadgen.bodies import glyph_bodies, random_bodies
from infadapter_server.loadgen.endpoint import Endpoint, UrlError, parse_url
from infadapter_server.profiling.percentiles import with_allocation
from infadapter_server.profiling.profiler import CLIENTS, HttpLoad, OnPhase, ProfileError, measure
from infadapter_server.profiling.start import started_server
from infadapter_server.profiling.target import ServerFacts, ask_facts, try_once

GLYPHS = (1, 1, 32, 32)  # a request's shape in the demo's task


@dataclass(frozen=True, slots=True, kw_only=True)
class Order:
    """What is to be measured, how, and where it is written."""

    endpoint: Endpoint
    name: str
    namespace: str | None
    size: PodSize
    accuracy: float | None
    load_s: float | None
    seconds: float
    start: str | None
    start_timeout_s: float
    body: bytes | None
    shape: tuple[int, ...] | None
    seed: int
    output: Path


def infer_route(url: str) -> Endpoint:
    """Take an infer route's URL apart; UrlError for any other URL."""
    endpoint = parse_url(url)
    if not re.fullmatch(rf"{MODELS_PATH}/[^/?]+(/versions/[^/?]+)?/infer", endpoint.path):
        raise UrlError(f"{url!r} must end in {MODELS_PATH}/NAME/infer.")
    return endpoint


async def carry_out(
    order: Order, *, on_phase: OnPhase | None = None
) -> tuple[ProfileDocument, ProfiledAllocation]:
    """Measure one allocation and write it; return the whole document, and what is new in it.

    Raises ProfileError, ProfileFileError or BodyError; then nothing is written.
    """
    before = find_profile(order.output, order.name, order.namespace)
    starting = (
        nullcontext()
        if order.start is None
        else started_server(order.start, order.endpoint, timeout_s=order.start_timeout_s)
    )
    async with starting as started_s:
        facts = await ask_facts(order.endpoint)
        profile = _about(order, facts, started_s, before.profile if before else None)
        bodies = _bodies(order, facts)
        await try_once(order.endpoint, bodies[0])
        load = HttpLoad(
            endpoint=order.endpoint, bodies=bodies, clients=max(CLIENTS, 2 * order.size.batch_size)
        )
        measured = await measure(
            load,
            seconds=order.seconds,
            size=order.size,
            seed=order.seed,
            on_phase=on_phase,
        )
    written = ProfileDocument(
        profile=with_allocation(profile, measured),
        namespace=order.namespace,
        measured_at=datetime.now(UTC).isoformat(timespec="seconds").replace("+00:00", "Z"),
        machine=machine(),
        server=facts.server,
    )
    save_profile(order.output, written)
    return written, measured


def _about(
    order: Order, facts: ServerFacts, started_s: float | None, before: Profile | None
) -> Profile:
    """Put together what is known besides the curve: the options, the server, the file, in turn."""
    known = (before.accuracy, before.load_time_s) if before else (None, None)
    accuracy = _first(order.accuracy, facts.accuracy, known[0])
    load_s = _first(order.load_s, started_s, facts.load_s, known[1])
    if accuracy is None:
        raise ProfileError("The server does not say how accurate its model is; give --accuracy.")
    if load_s is None:
        raise ProfileError(
            "The server does not say how long it took to load; give --load-seconds or --start."
        )
    allocations = before.allocations if before else ()
    return Profile(
        variant=order.name, accuracy=accuracy, load_time_s=load_s, allocations=allocations
    )


def _bodies(order: Order, facts: ServerFacts) -> list[bytes]:
    if order.body is not None:
        return [order.body]
    shape = facts.input_shape if order.shape is None else order.shape
    if shape is None:
        raise ProfileError("The server does not say what it takes; give --shape or --body.")
    if shape == GLYPHS:
        return glyph_bodies(seed=order.seed)
    return random_bodies(shape, seed=order.seed, name=facts.input_name or "image")


def _first(*values: float | None) -> float | None:
    return next((value for value in values if value is not None), None)


def machine() -> str:
    """What profiles and reports call this machine."""
    processor = platform.processor() or platform.machine()
    try:
        cpuinfo = Path("/proc/cpuinfo").read_text(encoding="utf-8")
    except OSError:
        cpuinfo = ""
    found = re.search(r"^model name\s*:\s*(.+)$", cpuinfo, re.MULTILINE)
    return f"{os.cpu_count()} x {found[1] if found else processor}, {platform.system()}"
