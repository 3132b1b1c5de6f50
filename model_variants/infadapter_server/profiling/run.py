"""A run of the profiler from the parameters to the file: start, query, measure, write."""

import os
import platform
import re
from collections.abc import Callable, Sequence
from contextlib import nullcontext
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial, reduce
from pathlib import Path

from infadapter_profiles.document import MOST_LETTERS, ProfileDocument
from infadapter_profiles.files import find_profile, save_profile
from infadapter_profiles.profile import OperatingPoint, Profile, ProfiledAllocation
from infadapter_server.profiling.about import with_points
from infadapter_server.profiling.bench import Watched
from infadapter_server.profiling.disturbance import Watch
from infadapter_server.profiling.journal import Journal, opened
from infadapter_server.profiling.measuring import hasty, moved, searched_s
from infadapter_server.profiling.order import Order
from infadapter_server.profiling.percentiles import same_row, with_allocation
from infadapter_server.profiling.points import MOST_POINTS, check_rows
from infadapter_server.profiling.profiler import CLIENTS, HttpLoad, OnPhase
from infadapter_server.profiling.rows import Rows
from infadapter_server.profiling.server import Server, ask_server
from infadapter_server.profiling.shown import listening, look, sized
from infadapter_server.profiling.start import cold_start_s, started_server
from infadapter_server.profiling.target import ask_arrivals

OnPoints = Callable[[Sequence[OperatingPoint], int], None]
"""Called with the operating points to measure, and the number that the server has."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Result:
    """The document as written, its new rows, and sentences on them."""

    document: ProfileDocument
    measured: tuple[ProfiledAllocation, ...]
    warnings: tuple[str, ...]
    resumed: str | None  # how much of it an interrupted run had measured


async def carry_out(
    order: Order, *, on_phase: OnPhase | None = None, on_points: OnPoints | None = None
) -> Result:
    """
    Measure one size, at each of its operating points if it has any, and write the profile. Raises
    ProfileError, SearchError, ProfileFileError or BodyError; then no profile is written.
    """
    with opened(order.journal, order.fingerprint(machine())) as journal:
        return await _carried_out(order, journal, on_phase, on_points)


async def _carried_out(
    order: Order, journal: Journal, on_phase: OnPhase | None, on_points: OnPoints | None
) -> Result:
    before = find_profile(order.output, order.name, order.namespace)
    cold_s = await _cold_s(order, journal)
    starting = (
        nullcontext()
        if order.start is None
        else started_server(order.start, order.endpoint, timeout_s=order.start_timeout_s)
    )
    async with starting as started_s:
        times_s = (cold_s, started_s)
        server = await ask_server(order, before.profile if before else None, times_s, journal)
        rows = _rows(server, journal, on_phase)
        resumed = f"{journal.waiting} step(s)" if journal.waiting else None
        profile, measured = await _measure(server, rows, on_points)
    written = ProfileDocument(
        profile=reduce(with_allocation, measured, profile),
        namespace=order.namespace,
        measured_at=datetime.now(UTC).isoformat(timespec="seconds").replace("+00:00", "Z"),
        machine=machine(),
        server=server.facts.server,
        warning="; ".join(rows.warnings)[:MOST_LETTERS] or None,
    )
    save_profile(order.output, written)
    said = [sentence for row in measured for sentence in _said(order, row, profile)]
    return Result(
        document=written,
        measured=measured,
        warnings=(*rows.warnings, *rows.said, *said),
        resumed=resumed,
    )


async def _cold_s(order: Order, journal: Journal) -> float | None:
    if order.start is None or not order.cold:
        return None
    known: float | None = journal.recall({"start": "cold"})
    if known is None:
        known = await cold_start_s(order.start, order.endpoint, timeout_s=order.start_timeout_s)
        journal.note({"start": "cold"}, known)
    return known


def _rows(server: Server, journal: Journal, on_phase: OnPhase | None) -> Rows:
    order = server.order
    clients = max(CLIENTS, 2 * (order.batch_size or 1))
    return Rows(
        order=order,
        load=Watched(
            HttpLoad(endpoint=order.endpoint, bodies=server.bodies, clients=clients),
            Watch(
                arrivals=partial(ask_arrivals, order.endpoint),
                server=listening(order),
                generator=os.getpid(),
                cores=os.cpu_count() or 1,
            ),
        ),
        journal=journal,
        on_phase=on_phase,
        look=partial(look, order),
    )


async def _measure(
    server: Server, rows: Rows, on_points: OnPoints | None
) -> tuple[Profile, tuple[ProfiledAllocation, ...]]:
    """Return the previous profile with its operating points updated, and the new rows."""
    allowed, profile, points = server.allowed, server.profile, server.points
    if allowed is None:
        return profile, await sized(server, rows, [await rows.plain()])
    few = server.order.points is None and not profile.operating_points
    most = MOST_POINTS if few else len(points)
    allowed = allowed.as_before(rows.journal)
    points = await rows.chosen(allowed, points, server.bodies[0], most)
    check_rows(profile, server.order.resources, points)
    if on_points is not None:
        on_points(points, len(allowed.points))
    found, measured = await rows.at_points(allowed, points, server.facts)
    return with_points(profile, found), await sized(server, rows, measured)


def _said(order: Order, measured: ProfiledAllocation, before: Profile) -> list[str]:
    """Return sentences on the capacities."""
    old = next((row for row in before.allocations if same_row(row, measured)), None)
    saturation_rps, seconds = measured.saturation_rps or 0.0, searched_s(order)
    where = f"{measured.operating_point}: " if measured.operating_point else ""
    sentences = [
        sentence
        for known in measured.capacity
        for sentence in (hasty(known, saturation_rps, seconds), moved(known, old))
    ]
    return [f"{where}{sentence}" for sentence in sentences if sentence is not None]


def machine() -> str:
    """Return the machine's name in profiles and reports."""
    processor = platform.processor() or platform.machine()
    try:
        cpuinfo = Path("/proc/cpuinfo").read_text(encoding="utf-8")
    except OSError:
        cpuinfo = ""
    found = re.search(r"^model name\s*:\s*(.+)$", cpuinfo, re.MULTILINE)
    return f"{os.cpu_count()} x {found[1] if found else processor}, {platform.system()}"
