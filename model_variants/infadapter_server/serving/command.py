"""The command line of `infadapter-server`: its options, and what they are put together to."""

import logging
import os
import re
import sys
from functools import partial
from pathlib import Path

import click
from prometheus_client import disable_created_metrics

from infadapter_server.executors.thread import ThreadExecutor
from infadapter_server.finite import Finite
from infadapter_server.networks.notes import measured
from infadapter_server.networks.signatures import SIGNATURES, Model
from infadapter_server.networks.stored import Format, Stored
from infadapter_server.serving.deadlines import Deadlines
from infadapter_server.serving.driver import Driver
from infadapter_server.serving.inference import Identity, Inference, Limits
from infadapter_server.serving.metrics import ServerMetrics
from infadapter_server.serving.quota import cpu_share, thread_limit
from infadapter_server.serving.serve import listen, run

INTERRUPTED = 130
_HELP = """Serve one network by the Open Inference Protocol v2.

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
    help="How many images one request may bring, and the most that run at once.",
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
    grpc_port: int | None,
    slo_ms: float | None,
    longest_deadline_ms: float,
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
    stored = Stored(
        name=name,
        version=variant,
        format=Format.VARIANT,
        signature=identity.signature,
        variant=variant,
        file=None if weights is None else str(weights),
        batch_sizes=powers_of_two(max_batch),
    )
    default_s = None if slo_ms is None else slo_ms / 1000
    inference = Inference(
        variant=variant,
        models={name: identity},
        limits=Limits(
            batch=max_batch,
            deadlines=Deadlines(longest_s=longest_deadline_ms / 1000, default_s=default_s),
        ),
        driver=Driver([stored], [ThreadExecutor("executor", _open)], metrics),
        metrics=metrics,
    )
    try:
        listener = listen(host, port)
    except OSError as error:
        raise click.ClickException(f"Cannot listen on {host}:{port}: {_reason(error)}.") from None
    shown = f"[{host}]" if ":" in host else host
    print(f"listening on http://{shown}:{listener.getsockname()[1]}", flush=True)
    try:
        sound = run(
            inference,
            listener,
            drain_s=drain_seconds,
            thread_limit=threads,
            cpu_share=cpu_share,
            grpc_at=None if grpc_port is None else (host, grpc_port),
        )
    except OSError as error:
        raise click.ClickException(f"{error}.") from None
    if inference.driver.failure is not None:
        raise click.ClickException(str(inference.driver.failure))
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


def powers_of_two(most: int) -> tuple[int, ...]:
    """Batch sizes: seven images run as four, two and one, so that nothing is padded."""
    return tuple(2**power for power in range(most.bit_length()))


def _open(stored: Stored) -> Model:
    # Here, in the executor's thread: importing torch takes seconds, and the HTTP side answers.
    from infadapter_server.networks import models

    return models.open_stored(stored)


def _take_openmp_ceiling() -> int | None:
    """What the user allows by OMP_NUM_THREADS, which must hold before torch is imported.

    torch makes as many threads as the machine has cores when it is imported, whatever the quota;
    with one, it makes none until it is told to.
    """
    given = os.environ.get("OMP_NUM_THREADS", "")
    os.environ["OMP_NUM_THREADS"] = "1"
    return int(given) if given.isdecimal() and int(given) > 0 else None
