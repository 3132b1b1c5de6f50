"""The options of `infadapter profile`, and their values."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import click

from infadapter.cluster.reference import Reference
from infadapter.profile_arguments import (
    millicores,
    object_name,
    points_of,
    read_by,
    reference,
    resource_of,
)
from infadapter_profiles.document import MOST_BATCH_SIZE, MOST_SLO_MS
from infadapter_server.finite import Finite
from infadapter_server.loadgen.bodies import parse_shape, read_body
from infadapter_server.loadgen.endpoint import Endpoint
from infadapter_server.profiling.labelled import Labelled, read_labelled
from infadapter_server.profiling.order import infer_route
from infadapter_server.profiling.points import MOST_POINTS
from infadapter_server.profiling.profiler import MIN_SECONDS

PERCENTILE = 99.0
Existing = click.Path(exists=True, dir_okay=False, path_type=Path)
New = click.Path(dir_okay=False, path_type=Path, allow_dash=True)
Command = Callable[..., None]


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """The options as given."""

    endpoint: Endpoint | None
    kubernetes: Reference | None
    model: str | None
    container: str | None
    port: int | None
    image: str | None
    name: str | None
    namespace: str | None
    cpus: tuple[int, ...]
    resource: dict[str, int]
    batch_sizes: tuple[int, ...]
    slos_ms: tuple[int, ...]
    percentile: float | None
    epsilon: float | None
    points: str | tuple[str, ...] | None
    accuracy: float | None
    labelled: Labelled | None
    load_seconds: float | None
    seconds: float
    start: str | None
    cold: bool
    start_timeout: float
    body: bytes | None
    shape: tuple[int, ...] | None
    seed: int
    output: Path | None
    plot: Path | None
    force: bool


_OPTIONS = (
    click.argument("endpoint", metavar="[URL]", required=False, callback=read_by(infer_route)),
    click.option(
        "--kubernetes",
        metavar="deployment/NAME|infsvc/NAME:VARIANT",
        callback=reference,
        help="Measure a clone of these pods, from a Job beside it, in place of a URL; the profile "
        "is applied to the cluster. Takes --namespace.",
    ),
    click.option(
        "--model",
        callback=object_name,
        help="With --kubernetes: the model to ask for.  [default: as the Deployment or service]",
    ),
    click.option(
        "--container", callback=object_name, help="And the container that answers, of several."
    ),
    click.option(
        "--port", type=click.IntRange(1, 65535), help="And its port.  [default: its first]"
    ),
    click.option(
        "--image",
        help="And an image that has this command.  [default: the container's own, with its "
        "environment and volumes]",
    ),
    click.option("--name", callback=object_name, help="The profile's name; a URL takes one."),
    click.option(
        "--namespace", callback=object_name, help="The profile's namespace, if it is to have one."
    ),
    click.option(
        "--cpu",
        "cpus",
        multiple=True,
        callback=millicores,
        help="What the server has: 4, 0.5 or 500m. Given several times, so are --start's "
        "{millicores}, or the sizes of the clone.  [default with --kubernetes: its template's]",
    ),
    click.option(
        "--resource", callback=resource_of, help="And beside it, such as nvidia.com/gpu=1."
    ),
    click.option(
        "--batch-size",
        "batch_sizes",
        type=click.IntRange(1, MOST_BATCH_SIZE),
        multiple=True,
        help="The server's batch limit, --start's {batch}; refused unless the server runs such "
        "batches.  [default: what it shows]",
    ),
    click.option(
        "--slo-ms",
        "slos_ms",
        type=click.IntRange(1, MOST_SLO_MS),
        multiple=True,
        help="Search for the capacity at this SLO; may be given several times.  [default of a "
        "service's variant: the service's]",
    ),
    click.option(
        "--percentile", type=Finite(1, 99.99), help=f"[default: {PERCENTILE:g}, or the service's]"
    ),
    click.option(
        "--epsilon",
        type=Finite(0, 1, min_open=True),
        help="The share that may be refused, late or failed.  [default: what the percentile "
        "leaves]",
    ),
    click.option(
        "--points",
        metavar="all|NAME,NAME,…",
        callback=points_of,
        help="The operating points to measure, each for --seconds, of a server that has several.  "
        f"[default: those that the profile has; else all, or {MOST_POINTS} far apart in time]",
    ),
    click.option("--accuracy", type=Finite(0, 1), help="A fraction, such as 0.861."),
    click.option(
        "--labelled",
        type=Existing,
        callback=read_by(read_labelled),
        help="Measure the accuracy on an .npz file of images and labels.",
    ),
    click.option(
        "--load-seconds", type=Finite(min=0), help="The load time, if --start does not measure it."
    ),
    click.option(
        "--seconds",
        type=Finite(MIN_SECONDS, 86_400),
        default=60.0,
        show_default=True,
        help="How long to measure a size, or a size at one operating point.",
    ),
    click.option("--start", help="A command that starts the server; it is stopped at the end."),
    click.option(
        "--cold", is_flag=True, help="Start it twice more, to time a start from the disk as well."
    ),
    click.option("--start-timeout", type=Finite(1, 3600), default=120.0, show_default=True),
    click.option(
        "--body",
        type=Existing,
        callback=read_by(read_body),
        help="A request to send, as JSON of the protocol.",
    ),
    click.option(
        "--shape",
        callback=read_by(parse_shape),
        help="Send random FP32 tensors, of a shape such as 1,3,224,224.",
    ),
    click.option("--seed", type=click.IntRange(min=0), default=0, show_default=True),
    click.option(
        "--output",
        "-o",
        type=New,
        help="The file to write or add to; - prints the profile as the last line, in JSON.  "
        "[default: NAME.yaml, or the cluster]",
    ),
    click.option(
        "--plot",
        type=click.Path(dir_okay=False, path_type=Path),
        help="Draw curve and capacities to this file too, PNG or SVG by its name.",
    ),
    click.option(
        "--force", is_flag=True, help="Write a disturbed measurement too, with a warning."
    ),
)


def options(command: Command) -> Command:
    for option in reversed(_OPTIONS):
        command = option(command)
    return command
