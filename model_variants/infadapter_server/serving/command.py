"""The command line of `infadapter-server`: its options, and what they are put together to."""

import logging
import os
from functools import partial
from pathlib import Path

import click
from prometheus_client import disable_created_metrics

from infadapter_server.executors.thread import ThreadExecutor
from infadapter_server.exit_code import exit_code_of
from infadapter_server.finite import Finite
from infadapter_server.networks.signatures import SIGNATURES, Model
from infadapter_server.networks.stored import Format, Stored
from infadapter_server.serving.assembly import Served, many, memory_bytes, one
from infadapter_server.serving.config_keys import ConfigError
from infadapter_server.serving.deadlines import Deadlines
from infadapter_server.serving.driver import Driver
from infadapter_server.serving.inference import Inference, Limits
from infadapter_server.serving.metrics import ServerMetrics
from infadapter_server.serving.quota import cpu_share, thread_limit
from infadapter_server.serving.serve import listen, run
from infadapter_server.serving.tracing.start import open_tracing

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

On SIGTERM or Ctrl-C the server is at once not ready, goes on answering for --drain-seconds, so
that routers notice, and ends with 0. A second signal ends the waiting.

\b
Many models in bounded memory (docs/models.md):
  infadapter-server --repository models --memory 2Gi
  infadapter-server --model small=glyph-1 --model other=model.onnx
"""


@click.command(help=_HELP, context_settings={"max_content_width": 100})
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
    metavar="QUANTITY",
    help="What the weights of all models may take, such as 2Gi: others are loaded when they are "
    "asked for, in place of those used least recently.  [default: all are loaded]",
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
    variant: str | None,
    names: tuple[str, ...],
    weights: Path | None,
    repository: Path | None,
    memory: str | None,
    host: str,
    port: int,
    grpc_port: int | None,
    slo_ms: float | None,
    longest_deadline_ms: float,
    max_batch: int,
    drain_seconds: float,
) -> int:
    threads = partial(thread_limit, ceiling=_take_openmp_ceiling())
    try:
        if variant is not None:
            _check_one(names, repository, memory)
            served = one(variant, (*names, variant)[0], weights, powers_of_two(max_batch))
        else:
            _check_many(names, repository, weights)
            size = None if memory is None else memory_bytes(memory)
            served = many(names, repository, size, threads())
    except ConfigError as error:
        raise click.UsageError(str(error)) from None
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(message)s")
    default_s = None if slo_ms is None else slo_ms / 1000
    deadlines = Deadlines(longest_s=longest_deadline_ms / 1000, default_s=default_s)
    inference = _inference(served, Limits(batch=max_batch, deadlines=deadlines))
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
            tracing=open_tracing(os.environ),
        )
    except OSError as error:
        raise click.ClickException(f"{error}.") from None
    if inference.driver.failure is not None:
        raise click.ClickException(str(inference.driver.failure))
    return 0 if sound else 1


def _inference(served: Served, limits: Limits) -> Inference:
    # A series more for each of ours, which nobody asks for.
    disable_created_metrics()  # type: ignore[no-untyped-call]
    metrics = ServerMetrics(served.variant)
    return Inference(
        variant=served.variant,
        models=served.models,
        limits=limits,
        driver=Driver(served.repository, [ThreadExecutor("executor", _open)], metrics),
        metrics=metrics,
    )


def _check_one(names: tuple[str, ...], repository: Path | None, memory: str | None) -> None:
    if repository is not None or memory is not None:
        raise ConfigError("--variant is one network: leave --repository and --memory out.")
    if len(names) > 1:
        raise ConfigError("--variant is one network: give one --model.")


def _check_many(names: tuple[str, ...], repository: Path | None, weights: Path | None) -> None:
    if not names and repository is None:
        raise ConfigError(
            f"Missing option '--variant'. Choose from: {', '.join(SIGNATURES)}; "
            "or give --model NAME=VARIANT, or --repository."
        )
    if weights is not None:
        raise ConfigError("--weights belongs to --variant; give --model NAME=FILE.")


def command() -> int:
    """Run the command and return its exit code: 0 after a drain, 1 for a fault, 2 for bad options.

    Ctrl-C before the server handles that itself is 130. A fault is one sentence on the standard
    error.
    """
    return exit_code_of(_command, "infadapter-server")


def _reason(error: OSError) -> str:
    # asyncio and socket add the address in brackets, which the message has already.
    return (error.strerror or str(error)).partition(" (")[0]


def powers_of_two(most: int) -> tuple[int, ...]:
    """Batch sizes: seven images run as four, two and one, so that nothing is padded."""
    return tuple(2**power for power in range(most.bit_length()))


def _open(stored: Stored) -> Model:
    # Here, in the executor's thread: importing torch takes seconds, and the HTTP side answers.
    if stored.format is Format.ONNX:
        from infadapter_server.networks.onnx_programs import open_onnx

        return open_onnx(stored)  # which needs no torch, nor its 200 MB
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
