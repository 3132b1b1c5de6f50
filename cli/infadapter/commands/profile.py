"""`infadapter profile`: measure a server, and keep what was measured in a file or the cluster."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import click

from infadapter.profile_arguments import writable
from infadapter.profile_here import measure_here
from infadapter.profile_options import Asked, options
from infadapter_server.loadgen.client import make_timely

PICTURES = (".png", ".svg")

_OF_CLUSTER = ("model", "container", "port", "image")
_OF_URL = ("start", "cold", "body", "labelled")


@click.command("profile", context_settings={"max_content_width": 100})
@options
def profile(**given: Any) -> None:
    """Measure a server and write a VariantProfile.

    URL is the infer route of a running server. It is first kept busy to find its saturation, then
    gets Poisson arrivals at up to seven rates below it. Latencies are those the client sees. For
    each --slo-ms the largest rate is searched at which no more than --epsilon of the requests are
    refused, late or failed, with the interval in which the next run will lie.

    A server whose model has operating points is held to one of them after the other: the profile
    gets a row for each size and point, and the server its own points back at the end.

    With --kubernetes a clone of a Deployment's pods, or of a service's variant, is measured so,
    once for each --cpu. The clone gets no other requests, and goes at the end.

    What is disturbed, by other requests, other programs or the generator itself, is measured
    again, and where it stays so, the command ends with 3 and writes nothing. An interrupted run
    with a URL goes on where it was when it is given again.

    Another size of pod adds to the profile, the same one replaces. A server at a URL must have
    the CPU that --cpu says; this command does not limit it. Several sizes take a --start command
    that does, by {millicores} and {batch}.

    \b
    Example, a server on one core, its load time measured too:
      infadapter profile http://127.0.0.1:8080/v2/models/glyphs/infer \\
          --name glyph-3 --cpu 1 --slo-ms 50 --slo-ms 100 --output profiles.yaml \\
          --start "taskset -c 0 infadapter-server --variant glyph-3 --model glyphs"

    \b
    Example, a variant of a service at three sizes, at the service's SLO:
      infadapter profile --kubernetes infsvc/glyphs:glyph-3 --namespace vision \\
          --cpu 0.5 --cpu 1 --cpu 2
    """
    asked = Asked(**given)
    _check(asked)
    if asked.kubernetes is None:
        _measure_at_url(asked)
    else:
        _measure_in_cluster(asked)


def _check(asked: Asked) -> None:
    """Raises UsageError for options that don't go together."""
    if (asked.endpoint is None) == (asked.kubernetes is None):
        raise click.UsageError("Give a URL, or --kubernetes.")
    if asked.plot is not None:
        _check_plot(asked.plot)
    if asked.body is not None and asked.shape is not None:
        raise click.UsageError("Give --body or --shape, not both.")
    if asked.kubernetes is None:
        _refuse(asked, _OF_CLUSTER, "--kubernetes")
        _require("a URL", {"--name": asked.name, "--cpu": asked.cpus})
    else:
        _refuse(asked, _OF_URL, "a URL")
        _require("--kubernetes", {"--namespace": asked.namespace})
        if len(asked.batch_sizes) > 1:
            raise click.UsageError("The batch limit is the template's: --kubernetes takes one.")


def _check_plot(plot: Path) -> None:
    """Before the minutes of measuring that it shows."""
    if plot.suffix not in PICTURES:
        raise click.UsageError(f"--plot must end in {' or '.join(PICTURES)}, not {plot.name}.")
    writable(plot)


def _refuse(asked: Asked, options: Sequence[str], goes_with: str) -> None:
    for name in options:
        if getattr(asked, name):
            raise click.UsageError(f"--{name} goes with {goes_with} only.")


def _require(what: str, options: Mapping[str, object]) -> None:
    for name, value in options.items():
        if not value:
            raise click.UsageError(f"Missing option '{name}': {what} takes one.")


def _measure_at_url(asked: Asked) -> None:
    assert asked.endpoint is not None
    assert asked.name is not None
    make_timely()
    measure_here(asked, asked.endpoint, asked.name)


def _measure_in_cluster(asked: Asked) -> None:
    """Imported here: a server's image has no client for the API server, and needs none."""
    try:
        from infadapter.cluster.command import measure_in_cluster
    except ModuleNotFoundError as missing:
        raise click.ClickException(
            f"--kubernetes needs {missing.name}, which is not installed: "
            "pip install 'infadapter[operator]'."
        ) from missing
    measure_in_cluster(asked)
