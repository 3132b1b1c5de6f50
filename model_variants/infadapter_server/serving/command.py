"""The command line of `infadapter-server`: its options, and how it ends."""

import logging
import os
from importlib.metadata import version
from pathlib import Path

import click

from infadapter_profiles import wire
from infadapter_profiles.variables import unread
from infadapter_scheduler import DEFAULT_POINT_POLICY, POINT_POLICIES
from infadapter_server.exit_code import exit_code_of
from infadapter_server.finite import Finite
from infadapter_server.logs import log_to_stderr
from infadapter_server.memory import Memory
from infadapter_server.networks.signatures import SIGNATURES
from infadapter_server.serving.assembly import Given
from infadapter_server.serving.config_keys import ConfigError
from infadapter_server.serving.deadlines import Deadlines
from infadapter_server.serving.fleet import Fleet
from infadapter_server.serving.inference import Limits
from infadapter_server.serving.launch import launch, prepare

_HELP = """Serve one network, or many, by the Open Inference Protocol v2.

\b
  infadapter-server --variant glyph-3 --model glyphs
  curl localhost:8080/v2/models/glyphs        what it takes and gives
  curl localhost:8080/v2/health/ready         200 after loading and warm-up
  curl localhost:8080/metrics                 requests, latencies, threads

POST /v2/models/MODEL/infer answers a tensor, in JSON or in the protocol's binary form. Every
answer says in the header infadapter-variant which network gave it. Threads follow the CPU quota.

Every request has a deadline, counted from its arrival: by the header infadapter-deadline-ms, or
the protocol's parameters.timeout in microseconds, or --slo-ms. Requests are batched within it. Who
would be late, or make others late, gets 503 with Retry-After at once; who is accepted is answered.

On SIGTERM or Ctrl-C the server is at once not ready, goes on answering so that routers notice, and
ends with 0: after --drain-seconds, or sooner, but for a second, once it has been silent for twice
as long as ever within half a minute. A second signal ends the waiting.

\b
Many models in bounded memory (docs/models.md):
  infadapter-server --repository models --memory 2Gi
  infadapter-server --model small=glyph-1 --model other=model.onnx

\b
One model, several accuracies (docs/models.md):
  infadapter-server --variant mnist1d --slo-ms 20

\b
Several cores, several pods (docs/workers.md):
  infadapter-server --variant resnet18 --processes 3
  infadapter-server --repository models --worker worker-0:9090 --worker worker-1:9090
"""


@click.command(
    help=_HELP,
    context_settings={"max_content_width": 100, "help_option_names": ["-h", "--help"]},
)
@click.version_option(version("infadapter"), prog_name="infadapter-server")
@click.option(
    "--variant",
    type=click.Choice(list(SIGNATURES)),
    help="The network to serve: one of the demo's five, or a ResNet.",
)
@click.option(
    "--model",
    "names",
    metavar="NAME",
    multiple=True,
    help="The name it answers under, usually the service's.  [default: the variant] Without "
    "--variant NAME=VARIANT, NAME=FILE or NAME=FOLDER, as often as there are models.",
)
@click.option(
    "--weights",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help="A state_dict, such as torchvision's .pth files. Without it the demo's networks have "
    "the weights that ship with them, and ResNets random ones.",
)
@click.option(
    "--repository",
    type=click.Path(exists=True, file_okay=False, path_type=Path),
    help="A folder of models: NAME/config.yaml, NAME/VERSION/model.pt or model.onnx.",
)
@click.option(
    "--memory",
    type=Memory(),
    help="What the weights of all models may take, such as 2Gi: others are loaded when they are "
    "asked for, in place of those used least recently. --processes share it; each --worker may "
    "take as much.  [default: all are loaded]",
)
@click.option(
    "--processes",
    type=click.IntRange(1, 256),
    help="Compute in so many child processes; where there are more cores, one is for HTTP alone.  "
    "[default: in a thread]",
)
@click.option(
    "--worker",
    "workers",
    metavar="HOST:PORT",
    multiple=True,
    help="Compute on this infadapter-worker, as often as there are workers.",
)
@click.option(
    "--worker-tls",
    metavar="FOLDER",
    type=click.Path(exists=True, file_okay=False, path_type=Path),
    help="With tls.key, tls.crt and ca.crt, for connections to workers that have --tls.",
)
@click.option("--host", default="0.0.0.0", show_default=True, help="The address to listen on.")
@click.option(
    "--port",
    type=click.IntRange(0, 65535),
    default=8080,
    show_default=True,
    help="0 takes any free port; the first line of the output says which.",
)
@click.option(
    "--grpc-port",
    type=click.IntRange(0, 65535),
    help="Answers the protocol over gRPC too, at this port. 0 takes any free one; the second line "
    "of the output says which.  [default: no gRPC]",
)
@click.option(
    "--slo-ms",
    type=Finite(0.001, 3_600_000),
    help="The deadline of requests that bring none.  [default: --longest-deadline-ms]",
)
@click.option(
    "--longest-deadline-ms",
    type=Finite(0.001, 3_600_000),
    default=Deadlines().longest_s * 1000,
    show_default=True,
    help="No deadline is longer, whoever asks for it.",
)
@click.option(
    "--max-batch",
    type=click.IntRange(1, 1024),
    default=Limits().batch,
    show_default=True,
    envvar=wire.MAX_BATCH_VARIABLE,
    show_envvar=True,
    help="How many images one request may bring, and the most that run at once.",
)
@click.option(
    "--point-policy",
    type=click.Choice(list(POINT_POLICIES)),
    default=DEFAULT_POINT_POLICY,
    show_default=True,
    help="At which operating point a batch is served, of a model that has several: the most "
    "accurate that keeps up with the arrivals (keeping-up); by the time that is left "
    "(slackfit); the largest batch first (max-batch); accuracy first (max-accuracy); always the "
    "fastest (lowest-accuracy). No choice makes anybody late who was accepted.",
)
@click.option(
    "--paced",
    is_flag=True,
    help="Below a core, use the CPU quota evenly: batches fill and operating points are chosen for "
    "all that it pays. More accuracy under steady loads, more answers in an overload; less room "
    "for sudden rises.",
)
@click.option(
    "--drain-seconds",
    type=Finite(0, 3600),
    default=5.0,
    show_default=True,
    help="How long to answer on after the signal to stop, at most.",
)
def _command(
    variant: str | None,
    names: tuple[str, ...],
    weights: Path | None,
    repository: Path | None,
    memory: int | None,
    processes: int | None,
    workers: tuple[str, ...],
    worker_tls: Path | None,
    host: str,
    port: int,
    grpc_port: int | None,
    slo_ms: float | None,
    longest_deadline_ms: float,
    max_batch: int,
    point_policy: str,
    paced: bool,
    drain_seconds: float,
) -> int:
    log_to_stderr()
    for sentence in unread(os.environ, {wire.MAX_BATCH_VARIABLE}):
        logging.getLogger(__name__).warning("%s", sentence)
    default_s = None if slo_ms is None else slo_ms / 1000
    deadlines = Deadlines(longest_s=longest_deadline_ms / 1000, default_s=default_s)
    try:
        fleet = Fleet(processes, workers, worker_tls, paced)
        given = Given(variant, names, weights, repository, memory, max_batch)
        prepared = prepare(given, fleet, deadlines, POINT_POLICIES[point_policy]())
    except ConfigError as error:
        raise click.UsageError(str(error)) from None
    return launch(prepared, host, port, grpc_port, drain_seconds)


def command() -> int:
    """Run the command and return its exit code: 0 after a drain, 1 for a fault, 2 for bad options.

    Ctrl-C before the server handles that itself is 130. A fault is one sentence on the standard
    error.
    """
    return exit_code_of(_command, "infadapter-server")
