"""`infadapter profile URL`: measure a server from this process, and write its profile."""

import asyncio
import json
import tempfile
from collections.abc import Coroutine, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import click

from infadapter.profile_arguments import filled, goals, grid, writable
from infadapter.profile_options import PERCENTILE, Asked
from infadapter.profile_text import progress, show
from infadapter.stopping import stopped_by_signals
from infadapter_profiles.document import write_document
from infadapter_profiles.files import ProfileFileError
from infadapter_profiles.profile import ProfiledAllocation
from infadapter_profiles.sizes import CPU
from infadapter_server.loadgen.bodies import BodyError
from infadapter_server.loadgen.client import run
from infadapter_server.loadgen.endpoint import Endpoint
from infadapter_server.profiling.order import Order
from infadapter_server.profiling.plot import draw
from infadapter_server.profiling.points import PointsError
from infadapter_server.profiling.profiler import ProfileError
from infadapter_server.profiling.run import Result, carry_out
from infadapter_server.profiling.steps import Disturbed, SearchError

DISTURBED = 3
"""Exit status if something else than the server was measured."""
STDOUT = Path("-")


def measure_here(asked: Asked, endpoint: Endpoint, name: str) -> None:
    with _file(asked.output or Path(f"{name}.yaml")) as file:
        orders = _orders(asked, endpoint, name, file)
        result = _ended_in_words(_measure_all(asked, orders), goes_on=asked.output != STDOUT)
        for order in orders:  # only now: a grid that was interrupted goes on where it was
            order.journal.unlink(missing_ok=True)
        if asked.output == STDOUT:
            click.echo(json.dumps(write_document(result.document)))


@contextmanager
def _file(output: Path) -> Iterator[Path]:
    """
    Yield the output file. Standard output is buffered in a file, since journals and sizes lie
    beside it.
    """
    if output != STDOUT:
        yield writable(output)
        return
    with tempfile.TemporaryDirectory() as folder:
        yield Path(folder) / "profile.yaml"


def _orders(asked: Asked, endpoint: Endpoint, name: str, file: Path) -> list[Order]:
    sizes = grid(asked.cpus, asked.batch_sizes, asked.start)
    first = Order(
        endpoint=endpoint,
        name=name,
        namespace=asked.namespace,
        resources=asked.resource,
        batch_size=None,
        goals=goals(asked.slos_ms, asked.percentile or PERCENTILE, asked.epsilon),
        points=asked.points,
        accuracy=asked.accuracy,
        labelled=asked.labelled,
        load_s=asked.load_seconds,
        seconds=asked.seconds,
        start=None,
        start_timeout_s=asked.start_timeout,
        cold=asked.cold,
        body=asked.body,
        shape=asked.shape,
        seed=asked.seed,
        output=file,
        force=asked.force,
    )
    return [
        replace(
            first,
            resources={CPU: cpu, **asked.resource},
            batch_size=batch_size,
            start=filled(asked.start, cpu, batch_size),
        )
        for cpu, batch_size in sizes
    ]


async def _measure_all(asked: Asked, orders: Sequence[Order]) -> Result:
    """Measure all sizes and return the last result, which is the whole profile."""
    with stopped_by_signals():  # between sizes, too
        for order in orders:
            async with progress(order.seconds) as shown:
                result = await carry_out(order, on_phase=shown.on_phase, on_points=shown.on_points)
            tell(result)
            if asked.plot is not None:
                plot(asked.plot, order.name, result.measured)
            if asked.output != STDOUT:
                allocations = len(result.document.profile.allocations)
                click.echo(f"{order.output}: {order.name}, {allocations} allocation(s)")
    return result


def _ended_in_words(measuring: Coroutine[object, object, Result], *, goes_on: bool) -> Result:
    """Run the measurement, and end the command with a sentence if there is no result."""
    try:
        return run(measuring)
    except Disturbed as error:
        click.echo(f"infadapter: {error}", err=True)
        raise SystemExit(DISTURBED) from error
    except PointsError as error:
        raise click.UsageError(str(error)) from error
    except (ProfileError, SearchError, ProfileFileError, BodyError) as error:
        raise click.ClickException(str(error)) from error
    except (KeyboardInterrupt, asyncio.CancelledError):
        kept = "The same command goes on." if goes_on else "Nothing was kept: that takes a file."
        click.echo(f"Interrupted before all was written. {kept}", err=True)
        raise SystemExit(130) from None


def tell(result: Result) -> None:
    if result.resumed:
        click.echo(f"An earlier run was interrupted; this one went on with its {result.resumed}.")
    for row in result.measured:
        show(row)
    for warning in result.warnings:
        click.echo(f"Warning: {warning}", err=True)


def plot(path: Path, name: str, measured: Sequence[ProfiledAllocation]) -> None:
    try:
        draw(path, name, measured)
    except ImportError as error:
        raise click.ClickException(
            "The profile is written; a plot needs matplotlib: pip install 'infadapter[local]'."
        ) from error
    except (OSError, ValueError) as error:
        raise click.ClickException(f"The profile is written; {path} is not: {error}.") from error
