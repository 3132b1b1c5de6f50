"""Output of `infadapter profile` during and after a measurement."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass

import click
from rich.console import Console
from rich.progress import BarColumn, Progress, TaskID, TextColumn, TimeRemainingColumn
from rich.table import Table

from infadapter_profiles.profile import KnownCapacity, OperatingPoint, ProfiledAllocation
from infadapter_server.profiling.percentiles import PERCENTILES, requests_needed

_TICK_S = 0.25
_ONLY = TaskID(0)


@dataclass(frozen=True, slots=True)
class Shown:
    """Progress of a run: a bar on a terminal, a line per phase in a log."""

    seconds: float  # of one row
    bar: Progress | None = None

    def on_phase(self, phase: str, length_s: float) -> None:
        if self.bar is None:
            click.echo(f"{phase}, {length_s:.3g} s", err=True)
            return
        self.bar.update(_ONLY, description=phase)

    def on_points(self, points: Sequence[OperatingPoint], of: int) -> None:
        names = ", ".join(f"{point.name} ({point.accuracy:.4g})" for point in points)
        which = f"{len(points)} of {of}" if len(points) < of else f"all {of}"
        click.echo(
            f"The server has operating points. Measured are {which}, {self.seconds:g} s each: "
            f"{names}.",
            err=True,
        )
        if self.bar is not None:
            self.bar.update(_ONLY, total=self.seconds * len(points))


@asynccontextmanager
async def progress(seconds: float) -> AsyncIterator[Shown]:
    console = Console(stderr=True)
    if not console.is_terminal:
        yield Shown(seconds)
        return
    columns = (TextColumn("{task.description:<28}"), BarColumn(), TimeRemainingColumn())
    with Progress(*columns, console=console, transient=True) as bar:
        bar.add_task("", total=seconds)

        async def tick() -> None:
            while True:
                await asyncio.sleep(_TICK_S)
                bar.update(_ONLY, advance=_TICK_S)

        ticking = asyncio.create_task(tick())
        try:
            yield Shown(seconds, bar)
        finally:
            ticking.cancel()


def show(measured: ProfiledAllocation) -> None:
    """Print the curve, and the capacities below it."""
    where = f"{measured.operating_point}: " if measured.operating_point else ""
    table = Table(title=f"{where}saturation {measured.saturation_rps:.4g} requests/s")
    names = ("requests/s", *(f"p{percent:g} ms" for percent in PERCENTILES), "refused")
    for name in names:
        table.add_column(name, justify="right")
    for point in measured.points:
        latencies = (point.latency_s.get(percent) for percent in PERCENTILES)
        cells = ("–" if s is None else f"{1000 * s:.2f}" for s in latencies)
        table.add_row(f"{point.rps:.4g}", *cells, f"{point.refused_ratio:.2%}")
    Console().print(table)
    if any(len(point.latency_s) < len(PERCENTILES) for point in measured.points):
        click.echo(
            f"–: too few requests; p99 takes {requests_needed(99)} at a rate, p99.9 "
            f"{requests_needed(99.9)}. A longer --seconds gives more."
        )
    for known in measured.capacity:
        click.echo(_capacity(known))


def _capacity(known: KnownCapacity) -> str:
    slo = f"p{known.percentile:g} ≤ {1000 * known.latency_s:g} ms"
    if not known.rps:
        return f"{slo}: no rate, however low"
    return (
        f"{slo}, at most {known.missed_ratio:.2%} refused or late: {known.rps:.4g} requests/s; "
        f"the next run lies within {known.low_rps:.4g} to {known.high_rps:.4g} (95 %)"
    )
