"""The command line of `infadapter-server`: its options, and what they are put together to."""

import logging
import os
import re
import sys
from functools import partial
from pathlib import Path

import click
from prometheus_client import disable_created_metrics

from infadapter_server.finite import Finite
from infadapter_server.networks.notes import measured
from infadapter_server.networks.signatures import SIGNATURES, Model
from infadapter_server.serving.inference import Identity, Inference, Limits
from infadapter_server.serving.metrics import ServerMetrics
from infadapter_server.serving.quota import thread_limit
from infadapter_server.serving.serve import listen, run
from infadapter_server.serving.worker import Worker

INTERRUPTED = 130
_HELP = """Serve one network by the Open Inference Protocol v2.

\b
  infadapter-server --variant glyph-3 --model glyphs
  curl localhost:8080/v2/models/glyphs        what it takes and gives
  curl localhost:8080/v2/health/ready         200 after loading and warm-up
  curl localhost:8080/metrics                 requests, latencies, threads

POST /v2/models/MODEL/infer answers a tensor, in JSON or in the protocol's binary form. Every
answer says in the header infadapter-variant which network gave it. One inference runs at a time;
requests beyond --queue-limit get 503 with Retry-After. Threads follow the CPU quota.

On SIGTERM or Ctrl-C the server is at once not ready, goes on answering for --drain-seconds, so
that routers notice, and ends with 0. A second signal ends the waiting.
"""


@click.command(help=_HELP, context_settings={"max_content_width": 100})
@click.option(
    "--variant",
    required=True,
    type=click.Choice(list(SIGNATURES)),
    help="The network to serve: one of the demo's five, or a ResNet.",
)
@click.option(
    "--model",
    metavar="NAME",
    help="The name it answers under, usually the service's.  [default: the variant]",
)
@click.option(
    "--weights",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help="A state_dict, such as torchvision's .pth files. Without it the demo's networks have "
    "the weights that ship with them, and ResNets random ones.",
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
    "--queue-limit",
    type=click.IntRange(min=1),
    default=Limits().in_flight,
    show_default=True,
    help="How many requests may wait or run at once.",
)
@click.option(
    "--max-batch",
    type=click.IntRange(1, 1024),
    default=Limits().batch,
    show_default=True,
    help="How many images one request may bring.",
)
@click.option(
    "--drain-seconds",
    type=Finite(0, 3600),
    default=5.0,
    show_default=True,
    help="How long to answer on after the signal to stop.",
)
def _command(
    variant: str,
    model: str | None,
    weights: Path | None,
    host: str,
    port: int,
    queue_limit: int,
    max_batch: int,
    drain_seconds: float,
) -> int:
    name = variant if model is None else model
    if not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9._-]{0,252}", name):
        raise click.UsageError(f"--model {name!r} must be letters, digits, dots and dashes.")
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(message)s")
    threads = partial(thread_limit, ceiling=_take_openmp_ceiling())
    identity = Identity(
        variant=variant,
        model=name,
        signature=SIGNATURES[variant],
        accuracy=_accuracy(variant) if weights is None else None,
    )
    # A series more for each of ours, which nobody asks for.
    disable_created_metrics()  # type: ignore[no-untyped-call]
    metrics = ServerMetrics(variant)
    worker = Worker(partial(_load, variant, weights), identity.signature, metrics)
    limits = Limits(in_flight=queue_limit, batch=max_batch)
    inference = Inference(identity=identity, limits=limits, worker=worker, metrics=metrics)
    try:
        listener = listen(host, port)
    except OSError as error:
        raise click.ClickException(f"Cannot listen on {host}:{port}: {_reason(error)}.") from None
    shown = f"[{host}]" if ":" in host else host
    print(f"listening on http://{shown}:{listener.getsockname()[1]}", flush=True)
    sound = run(inference, listener, drain_s=drain_seconds, thread_limit=threads)
    if worker.failure is not None:
        raise click.ClickException(str(worker.failure))
    return 0 if sound else 1


def command() -> int:
    """Run the command and return its exit code: 0 after a drain, 1 for a fault, 2 for bad options.

    Ctrl-C before the server handles that itself is 130. A fault is one sentence on the standard
    error.
    """
    try:
        code: int = _command.main(standalone_mode=False)
    except click.ClickException as error:
        sentence = " ".join(error.format_message().split())
        print(f"infadapter-server: {sentence}", file=sys.stderr)
        return error.exit_code
    except click.Abort:  # what click makes of KeyboardInterrupt
        return INTERRUPTED
    return code


def _reason(error: OSError) -> str:
    # asyncio and socket add the address in brackets, which the message has already.
    return (error.strerror or str(error)).partition(" (")[0]


def _accuracy(variant: str) -> float | None:
    """What was measured of the weights that ship with this package, if there are any."""
    accuracy: float | None = measured().get(variant, {}).get("accuracy")
    return accuracy


def _load(variant: str, weights: Path | None) -> Model:
    # Here, in the worker's thread: importing torch takes seconds, and the HTTP side answers.
    from infadapter_server.networks import models

    return models.load(variant, weights)


def _take_openmp_ceiling() -> int | None:
    """What the user allows by OMP_NUM_THREADS, which must hold before torch is imported.

    torch makes as many threads as the machine has cores when it is imported, whatever the quota;
    with one, it makes none until it is told to.
    """
    given = os.environ.get("OMP_NUM_THREADS", "")
    os.environ["OMP_NUM_THREADS"] = "1"
    return int(given) if given.isdecimal() and int(given) > 0 else None
