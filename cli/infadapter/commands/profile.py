"""`infadapter profile`: measure a running server, and write what was measured to a file."""

from pathlib import Path

import click

from infadapter.profile_arguments import (
    filled,
    goals,
    grid,
    millicores,
    object_name,
    read_by,
    resource_of,
    writable,
)
from infadapter.profile_text import progress, show
from infadapter_profiles.document import MOST_BATCH_SIZE, MOST_SLO_MS
from infadapter_profiles.files import ProfileFileError
from infadapter_profiles.profile import ProfiledAllocation
from infadapter_profiles.sizes import CPU
from infadapter_server.finite import Finite
from infadapter_server.loadgen.bodies import BodyError, parse_shape, read_body
from infadapter_server.loadgen.client import make_timely, run
from infadapter_server.loadgen.endpoint import Endpoint
from infadapter_server.profiling.labelled import Labelled, read_labelled
from infadapter_server.profiling.order import Order, infer_route
from infadapter_server.profiling.plot import draw
from infadapter_server.profiling.profiler import MIN_SECONDS, ProfileError
from infadapter_server.profiling.run import Result, carry_out
from infadapter_server.profiling.search import Disturbed, SearchError

DISTURBED = 3
"""The exit status where something else than the server was measured."""

Existing = click.Path(exists=True, dir_okay=False, path_type=Path)


@click.command("profile", context_settings={"max_content_width": 100})
@click.argument("endpoint", metavar="URL", callback=read_by(infer_route))
@click.option("--name", required=True, callback=object_name, help="The profile's name.")
@click.option(
    "--namespace", callback=object_name, help="The profile's namespace, if it is to have one."
)
@click.option(
    "--cpu",
    "cpus",
    required=True,
    multiple=True,
    callback=millicores,
    help="What the server has: 4, 0.5 or 500m. Given several times, so are --start's {millicores}.",
)
@click.option("--resource", callback=resource_of, help="And beside it, such as nvidia.com/gpu=1.")
@click.option(
    "--batch-size",
    "batch_sizes",
    type=click.IntRange(1, MOST_BATCH_SIZE),
    multiple=True,
    help="The server's batch limit, --start's {batch}; refused unless the server runs such "
    "batches.  [default: what it shows]",
)
@click.option(
    "--slo-ms",
    "slos_ms",
    type=click.IntRange(1, MOST_SLO_MS),
    multiple=True,
    help="Search for the capacity at this SLO; may be given several times.",
)
@click.option("--percentile", type=Finite(1, 99.99), default=99.0, show_default=True)
@click.option(
    "--epsilon",
    type=Finite(0, 1, min_open=True),
    help="The share that may be refused, late or failed.  [default: what the percentile leaves]",
)
@click.option("--accuracy", type=Finite(0, 1), help="A fraction, such as 0.861.")
@click.option(
    "--labelled",
    type=Existing,
    callback=read_by(read_labelled),
    help="Measure the accuracy on an .npz file of images and labels.",
)
@click.option("--load-seconds", type=Finite(min=0), help="If neither server nor --start tell.")
@click.option(
    "--seconds",
    type=Finite(MIN_SECONDS, 86_400),
    default=60.0,
    show_default=True,
    help="How long to measure.",
)
@click.option("--start", help="A command that starts the server; it is stopped at the end.")
@click.option(
    "--cold", is_flag=True, help="Start it twice more, to time a start from the disk as well."
)
@click.option("--start-timeout", type=Finite(1, 3600), default=120.0, show_default=True)
@click.option(
    "--body",
    type=Existing,
    callback=read_by(read_body),
    help="A request to send, as JSON of the protocol.",
)
@click.option(
    "--shape",
    callback=read_by(parse_shape),
    help="Send random FP32 tensors, of a shape such as 1,3,224,224.",
)
@click.option("--seed", type=click.IntRange(min=0), default=0, show_default=True)
@click.option(
    "--output",
    "-o",
    type=click.Path(dir_okay=False, path_type=Path),
    help="The file to write or add to.  [default: NAME.yaml]",
)
@click.option(
    "--plot",
    type=click.Path(dir_okay=False, path_type=Path),
    help="Draw curve and capacities to this file too, PNG or SVG by its name.",
)
@click.option("--force", is_flag=True, help="Write also what was disturbed, with a warning in it.")
def profile(
    endpoint: Endpoint,
    name: str,
    namespace: str | None,
    cpus: tuple[int, ...],
    resource: dict[str, int],
    batch_sizes: tuple[int, ...],
    slos_ms: tuple[int, ...],
    percentile: float,
    epsilon: float | None,
    accuracy: float | None,
    labelled: Labelled | None,
    load_seconds: float | None,
    seconds: float,
    start: str | None,
    cold: bool,
    start_timeout: float,
    body: bytes | None,
    shape: tuple[int, ...] | None,
    seed: int,
    output: Path | None,
    plot: Path | None,
    force: bool,
) -> None:
    """Measure a running server and write a VariantProfile.

    URL is the server's infer route. The server is first kept busy to find its saturation, then
    gets Poisson arrivals at up to seven rates below it. Latencies are those the client sees. For
    each --slo-ms the largest rate is searched at which no more than --epsilon of the requests are
    refused, late or failed, with the interval in which the next run will lie.

    What is disturbed, by other requests, other programs or the generator itself, is measured
    again, and where it stays so, the command ends with 3 and writes nothing. An interrupted run
    goes on where it was when it is given again.

    Another size of pod adds to the file, the same one replaces. What is to be measured must have
    the CPU that --cpu says; this command does not limit it. Several sizes take a --start command
    that does, by {millicores} and {batch}.

    \b
    Example, a server on one core, its load time measured too:
      infadapter profile http://127.0.0.1:8080/v2/models/glyphs/infer \\
          --name glyph-3 --cpu 1 --slo-ms 50 --slo-ms 100 --output profiles.yaml \\
          --start "taskset -c 0 infadapter-server --variant glyph-3 --model glyphs"
    """
    if body is not None and shape is not None:
        raise click.UsageError("Give --body or --shape, not both.")
    sizes = grid(cpus, batch_sizes, start)
    target = writable(output or Path(f"{name}.yaml"))
    wanted = goals(slos_ms, percentile, epsilon)
    orders = [
        Order(
            endpoint=endpoint,
            name=name,
            namespace=namespace,
            resources={CPU: cpu, **resource},
            batch_size=batch_size,
            goals=wanted,
            accuracy=accuracy,
            labelled=labelled,
            load_s=load_seconds,
            seconds=seconds,
            start=filled(start, cpu, batch_size),
            start_timeout_s=start_timeout,
            cold=cold,
            body=body,
            shape=shape,
            seed=seed,
            output=target,
            force=force,
        )
        for cpu, batch_size in sizes
    ]
    make_timely()
    for order in orders:
        _tell(order, _measured(order), plot)
    for order in orders:  # only now: a grid that was interrupted goes on where it was
        order.journal.unlink(missing_ok=True)


def _measured(order: Order) -> Result:
    """Ends the command with a sentence where there is no result."""
    try:
        return run(_carry_out(order))
    except Disturbed as error:
        click.echo(f"infadapter: {error}", err=True)
        raise SystemExit(DISTURBED) from error
    except (ProfileError, SearchError, ProfileFileError, BodyError) as error:
        raise click.ClickException(str(error)) from error
    except KeyboardInterrupt:
        click.echo("Interrupted; no profile was written. The same command goes on.", err=True)
        raise SystemExit(130) from None


def _tell(order: Order, result: Result, plot: Path | None) -> None:
    if result.resumed:
        click.echo(f"An earlier run was interrupted; this one went on with its {result.resumed}.")
    show(result.measured)
    for warning in result.warnings:
        click.echo(f"Warning: {warning}", err=True)
    allocations = len(result.document.profile.allocations)
    click.echo(f"{order.output}: {order.name}, {allocations} allocation(s)")
    if plot is not None:
        _draw(plot, order, result.measured)


async def _carry_out(order: Order) -> Result:
    async with progress(order.seconds) as on_phase:
        return await carry_out(order, on_phase=on_phase)


def _draw(path: Path, order: Order, measured: ProfiledAllocation) -> None:
    try:
        draw(path, order.name, measured)
    except ImportError as error:
        raise click.ClickException(
            "The profile is written; a plot needs matplotlib: pip install 'infadapter[local]'."
        ) from error
    except (OSError, ValueError) as error:
        raise click.ClickException(f"The profile is written; {path} is not: {error}.") from error
