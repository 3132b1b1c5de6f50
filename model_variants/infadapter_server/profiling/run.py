"""One run of the profiler from what is asked for to the file: start, ask, measure, write."""

import os
import platform
import re
from contextlib import nullcontext
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from functools import partial
from pathlib import Path

from infadapter_profiles.document import MOST_LETTERS, ProfileDocument
from infadapter_profiles.files import find_profile, save_profile
from infadapter_profiles.profile import ProfiledAllocation
from infadapter_profiles.sizes import PodSize
from infadapter_server.profiling.about import about, accuracy_of, bodies_of
from infadapter_server.profiling.batches import batch_size, check_known
from infadapter_server.profiling.bench import Watched
from infadapter_server.profiling.disturbance import Watch
from infadapter_server.profiling.journal import Journal
from infadapter_server.profiling.measuring import Measuring, hasty, moved, noisy, searched_s
from infadapter_server.profiling.order import Order
from infadapter_server.profiling.percentiles import with_allocation
from infadapter_server.profiling.processes import family, listening_process, peak_bytes
from infadapter_server.profiling.profiler import CLIENTS, HttpLoad, OnPhase
from infadapter_server.profiling.start import cold_start_s, started_server
from infadapter_server.profiling.target import (
    ServerFacts,
    ask_arrivals,
    ask_batches,
    ask_facts,
    try_once,
)

_LOOPBACK = ("127.0.0.1", "localhost", "::1")


@dataclass(frozen=True, slots=True, kw_only=True)
class Result:
    """The document as it was written, what is new in it, and what to say of it."""

    document: ProfileDocument
    measured: ProfiledAllocation
    warnings: tuple[str, ...]
    resumed: str | None  # how much of it an interrupted run had measured


async def carry_out(order: Order, *, on_phase: OnPhase | None = None) -> Result:
    """Measure one allocation and write it.

    Raises ProfileError, SearchError, ProfileFileError or BodyError; then no profile is written.
    """
    before = find_profile(order.output, order.name, order.namespace)
    cold_s = None
    if order.start is not None and order.cold:
        cold_s = await cold_start_s(order.start, order.endpoint, timeout_s=order.start_timeout_s)
    starting = (
        nullcontext()
        if order.start is None
        else started_server(order.start, order.endpoint, timeout_s=order.start_timeout_s)
    )
    async with starting as started_s:
        facts = await ask_facts(order.endpoint)
        check_known(order.batch_size, await ask_batches(order.endpoint), facts.batch_limit)
        order = replace(order, accuracy=await accuracy_of(order, facts))
        profile = about(order, facts, (cold_s, started_s), before.profile if before else None)
        bodies = bodies_of(order, facts)
        await try_once(order.endpoint, bodies[0])
        measuring, measured = await _measure(order, facts, bodies, on_phase)
    old = next((a for a in profile.allocations if a.size == measured.size), None)
    written = ProfileDocument(
        profile=with_allocation(profile, measured),
        namespace=order.namespace,
        measured_at=datetime.now(UTC).isoformat(timespec="seconds").replace("+00:00", "Z"),
        machine=machine(),
        server=facts.server,
        warning="; ".join(measuring.warnings)[:MOST_LETTERS] or None,
    )
    save_profile(order.output, written)
    said = _said(order, measured, old)
    return Result(
        document=written,
        measured=measured,
        warnings=(*measuring.warnings, *said),
        resumed=measuring.resumed,
    )


async def _measure(
    order: Order, facts: ServerFacts, bodies: list[bytes], on_phase: OnPhase | None
) -> tuple[Measuring, ProfiledAllocation]:
    local = order.endpoint.host in _LOOPBACK
    server = listening_process(order.endpoint.port) if local else None
    clients = max(CLIENTS, 2 * (order.batch_size or 1))
    measuring = Measuring(
        order=order,
        load=Watched(
            HttpLoad(endpoint=order.endpoint, bodies=bodies, clients=clients),
            Watch(
                arrivals=partial(ask_arrivals, order.endpoint),
                server=server,
                generator=os.getpid(),
                cores=os.cpu_count() or 1,
            ),
        ),
        journal=Journal.open(order.journal, order.fingerprint(machine(), facts.server)),
        on_phase=on_phase,
    )
    if steps := len(measuring.journal.known):
        measuring.resumed = f"{steps} step(s)"
    measured = await measuring.run()
    batch = batch_size(order.batch_size, await ask_batches(order.endpoint), facts.batch_limit)
    return measuring, replace(
        measured,
        size=PodSize(resources=order.resources, batch_size=batch),
        memory_bytes=None if server is None else peak_bytes(family(server)),
    )


def _said(order: Order, measured: ProfiledAllocation, old: ProfiledAllocation | None) -> list[str]:
    """What to say of the capacities, in sentences."""
    saturation_rps, seconds = measured.saturation_rps or 0.0, searched_s(order)
    sentences = [
        sentence
        for known in measured.capacity
        for sentence in (noisy(known), hasty(known, saturation_rps, seconds), moved(known, old))
    ]
    return [sentence for sentence in sentences if sentence is not None]


def machine() -> str:
    """What profiles and reports call this machine."""
    processor = platform.processor() or platform.machine()
    try:
        cpuinfo = Path("/proc/cpuinfo").read_text(encoding="utf-8")
    except OSError:
        cpuinfo = ""
    found = re.search(r"^model name\s*:\s*(.+)$", cpuinfo, re.MULTILINE)
    return f"{os.cpu_count()} x {found[1] if found else processor}, {platform.system()}"
