"""`infadapter profile`: measure a running server, and write what was measured to a file."""

import asyncio
import re
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, TypeVar

import click
from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn
from rich.table import Table

from infadapter_profiles.document import MOST_BATCH_SIZE, ProfileDocument
from infadapter_profiles.files import ProfileFileError, check_writable
from infadapter_profiles.profile import ProfiledAllocation
from infadapter_profiles.quantities import InvalidQuantity, parse_quantity
from infadapter_profiles.sizes import CPU, PodSize
from infadapter_server.finite import Finite
from infadapter_server.loadgen.bodies import BodyError, parse_shape, read_body
from infadapter_server.loadgen.client import make_timely, run
from infadapter_server.loadgen.endpoint import Endpoint, UrlError
from infadapter_server.profiling.percentiles import PERCENTILES, requests_needed
from infadapter_server.profiling.profiler import MIN_SECONDS, OnPhase, ProfileError
from infadapter_server.profiling.run import Order, carry_out, infer_route

Existing = click.Path(exists=True, dir_okay=False, path_type=Path)
T = TypeVar("T")


def _millicores(_: click.Context, __: click.Parameter, text: str) -> int:
    try:
        millicores = 1000 * parse_quantity(text)
    except InvalidQuantity as error:
        raise click.BadParameter(f"{text!r} is not an amount such as 4 or 500m.") from error
    if millicores == 0 or millicores != int(millicores):
        raise click.BadParameter(f"{text!r} is not a positive amount in whole thousandths.")
    return int(millicores)


def _name(_: click.Context, parameter: click.Parameter, text: str | None) -> str | None:
    if text is not None and not re.fullmatch(r"[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?", text):
        raise click.BadParameter(f"{text!r} must be lower-case letters, digits and dashes.")
    return text


def _resource(_: click.Context, __: click.Parameter, text: str | None) -> dict[str, int]:
    if text is None:
        return {}
    name, _equals, amount = text.partition("=")
    if "/" not in name or not amount.isdecimal() or int(amount) < 1:
        raise click.BadParameter(f"{text!r} must be like nvidia.com/gpu=1.")
    return {name: int(amount)}


def _read_by(read: Callable[[Any], T]) -> Callable[..., T | None]:
    """Return a callback that judges an argument before anything is started, if it is given."""

    def judge(_: click.Context, __: click.Parameter, given: Any) -> T | None:
        try:
            return None if given is None else read(given)
        except (BodyError, UrlError) as error:
            raise click.BadParameter(str(error)) from error

    return judge


@click.command("profile", context_settings={"max_content_width": 100})
@click.argument("endpoint", metavar="URL", callback=_read_by(infer_route))
@click.option("--name", required=True, callback=_name, help="The profile's name.")
@click.option("--namespace", callback=_name, help="The profile's namespace, if it is to have one.")
@click.option(
    "--cpu", required=True, callback=_millicores, help="What the server has now: 4, 0.5 or 500m."
)
@click.option("--resource", callback=_resource, help="And beside it, such as nvidia.com/gpu=1.")
@click.option("--batch-size", type=click.IntRange(1, MOST_BATCH_SIZE), default=1, show_default=True)
@click.option("--accuracy", type=Finite(0, 1), help="A fraction, such as 0.861.")
@click.option("--load-seconds", type=Finite(min=0), help="If neither server nor --start tell.")
@click.option(
    "--seconds",
    type=Finite(MIN_SECONDS, 86_400),
    default=60.0,
    show_default=True,
    help="How long to measure.",
)
@click.option("--start", help="A command that starts the server; it is stopped at the end.")
@click.option("--start-timeout", type=Finite(1, 3600), default=120.0, show_default=True)
@click.option(
    "--body",
    type=Existing,
    callback=_read_by(read_body),
    help="A request to send, as JSON of the protocol.",
)
@click.option(
    "--shape",
    callback=_read_by(parse_shape),
    help="Send random FP32 tensors, of a shape such as 1,3,224,224.",
)
@click.option("--seed", type=click.IntRange(min=0), default=0, show_default=True)
@click.option(
    "--output",
    "-o",
    type=click.Path(dir_okay=False, path_type=Path),
    help="The file to write or add to.  [default: NAME.yaml]",
)
def profile(
    endpoint: Endpoint,
    name: str,
    namespace: str | None,
    cpu: int,
    resource: dict[str, int],
    batch_size: int,
    accuracy: float | None,
    load_seconds: float | None,
    seconds: float,
    start: str | None,
    start_timeout: float,
    body: bytes | None,
    shape: tuple[int, ...] | None,
    seed: int,
    output: Path | None,
) -> None:
    """Measure a running server and write a VariantProfile.

    URL is the server's infer route. The server is first kept busy to find its saturation, then
    gets Poisson arrivals at up to seven rates below it. Latencies are those the client sees.

    Measure each size of pod in a run of its own: another --cpu adds to the file, the same --cpu
    replaces. What is to be measured must have the CPU that --cpu says; this command does not
    limit it.

    \b
    Example, a server on one core, its load time measured too:
      infadapter profile http://127.0.0.1:8080/v2/models/glyphs/infer \\
          --name glyph-3 --cpu 1 --output profiles.yaml \\
          --start "taskset -c 0 infadapter-server --variant glyph-3 --model glyphs"
    """
    if body is not None and shape is not None:
        raise click.UsageError("Give --body or --shape, not both.")
    try:
        order = Order(
            endpoint=endpoint,
            name=name,
            namespace=namespace,
            size=PodSize(resources={CPU: cpu, **resource}, batch_size=batch_size),
            accuracy=accuracy,
            load_s=load_seconds,
            seconds=seconds,
            start=start,
            start_timeout_s=start_timeout,
            body=body,
            shape=shape,
            seed=seed,
            output=_writable(output or Path(f"{name}.yaml")),
        )
        make_timely()
        written, measured = run(_carry_out(order))
    except (ProfileError, ProfileFileError, BodyError) as error:
        raise click.ClickException(str(error)) from error
    except KeyboardInterrupt:
        click.echo("Interrupted; nothing was written.", err=True)
        raise SystemExit(130) from None
    _show(measured)
    click.echo(f"{order.output}: {name}, {len(written.profile.allocations)} allocation(s)")


def _writable(path: Path) -> Path:
    try:
        check_writable(path)
    except ProfileFileError as error:
        raise click.UsageError(str(error)) from error
    return path


async def _carry_out(order: Order) -> tuple[ProfileDocument, ProfiledAllocation]:
    async with _progress(order.seconds) as on_phase:
        return await carry_out(order, on_phase=on_phase)


@asynccontextmanager
async def _progress(seconds: float) -> AsyncIterator[OnPhase]:
    columns = (TextColumn("{task.description:<20}"), BarColumn(), TimeRemainingColumn())
    with Progress(*columns, console=Console(stderr=True), transient=True) as bar:
        task = bar.add_task("", total=seconds)

        async def tick() -> None:
            while True:
                await asyncio.sleep(0.25)
                bar.update(task, advance=0.25)

        ticking = asyncio.create_task(tick())
        try:
            yield lambda phase, _: bar.update(task, description=phase)
        finally:
            ticking.cancel()


def _show(measured: ProfiledAllocation) -> None:
    table = Table(title=f"saturation {measured.saturation_rps:.4g} requests/s")
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
