"""The command line of `infadapter-worker`."""

import os
import signal
import socket
import threading
import time
from collections.abc import Callable
from functools import partial
from importlib.metadata import version
from pathlib import Path

import click

from infadapter_server.executors.opening import torch_opener
from infadapter_server.executors.priority import give_way
from infadapter_server.executors.remote.disk import Disk
from infadapter_server.executors.remote.service import Service, listen, serve
from infadapter_server.executors.remote.tls import Tls, read_tls
from infadapter_server.executors.remote.watch import watch
from infadapter_server.executors.remote.worker import Worker
from infadapter_server.exit_code import exit_code_of
from infadapter_server.finite import Finite
from infadapter_server.logs import announce, log_to_stderr
from infadapter_server.memory import Memory
from infadapter_server.serving.quota import thread_limit

FINISH_S = 20.0
"""Seconds for the running inference; pods are killed after 30 s by default."""
_LOOK_S = 0.1
_STOP = {signal.SIGTERM, signal.SIGINT}

_REPORTED_S = 0.5
_HELP = """Compute for a controller on another pod: one batch at a time, each within its window.

\b
  infadapter-worker --models /models --memory 2Gi --port 9090

Weights are loaded from this worker's own disk, FOLDER/NAME/VERSION/FILE; the demo's networks ship
with it. One controller at a time drives it; without one it keeps its weights and waits. Whoever
reaches the port is obeyed: keep it to the controller by --tls or a NetworkPolicy. On SIGTERM or
Ctrl-C it finishes the batch that is running and ends with 0; for a load nobody waits.
"""


@click.command(
    help=_HELP,
    context_settings={"max_content_width": 100, "help_option_names": ["-h", "--help"]},
)
@click.version_option(version("infadapter"), prog_name="infadapter-worker")
@click.option("--name", default=socket.gethostname, help="As in logs.  [default: the host's]")
@click.option("--host", default="0.0.0.0", show_default=True, help="The address to listen on.")
@click.option(
    "--port",
    type=click.IntRange(0, 65535),
    default=9090,
    show_default=True,
    help="0 takes any free port; the first line of the output says which.",
)
@click.option(
    "--models",
    metavar="FOLDER",
    type=click.Path(exists=True, file_okay=False, path_type=Path),
    help="Models that it may load: FOLDER/NAME/VERSION/FILE.",
)
@click.option(
    "--memory",
    type=Memory(),
    help="What all weights together may take, such as 2Gi; the controller keeps to it.",
)
@click.option(
    "--threads",
    type=click.IntRange(1, 1024),
    help="Of an inference.  [default: the CPU quota, also when it changes]",
)
@click.option(
    "--tls",
    "secret",
    metavar="FOLDER",
    type=click.Path(exists=True, file_okay=False, path_type=Path),
    help="With tls.key, tls.crt and ca.crt: only controllers with a certificate of it are obeyed.",
)
@click.option(
    "--stuck-seconds",
    type=Finite(0.1, 86400),
    default=120.0,
    show_default=True,
    help="An order that takes longer ends the process with 1: only a new one can help.",
)
def _command(
    name: str,
    host: str,
    port: int,
    models: Path | None,
    memory: int | None,
    threads: int | None,
    secret: Path | None,
    stuck_seconds: float,
) -> int:
    log_to_stderr()
    try:
        server, bound = listen(host, port, _tls(secret))
    except OSError as error:
        raise click.ClickException(str(error)) from None
    # torch makes as many threads as the machine has cores when it is imported, whatever the quota.
    os.environ["OMP_NUM_THREADS"] = "1"
    disk = Disk(models, memory)
    worker = Worker(disk.opener(lambda stored: torch_opener()(stored)), threads or thread_limit())
    prepared = threading.Event()
    threading.Thread(target=_end_by_signal, args=(worker, prepared, _told()), daemon=True).start()
    torch_opener()
    prepared.set()
    serve(server, Service(name, worker, disk))
    announce(f"listening on {host}:{bound}")
    watching = partial(watch, worker, follow_quota=threads is None, stuck_s=stuck_seconds)
    threading.Thread(target=watching, daemon=True).start()
    give_way()
    worker.run()
    server.stop(_REPORTED_S).wait()
    return 0


def command() -> int:
    """Run the command and return its exit code: 0 after a signal, 1 for a fault, 2 for options."""
    return exit_code_of(_command, "infadapter-worker")


def _tls(folder: Path | None) -> Tls | None:
    """Return the TLS settings. Raises UsageError."""
    try:
        return None if folder is None else read_tls(folder)
    except OSError as error:
        raise click.UsageError(f"--tls: {error.filename}: {error.strerror}.") from None


def _told() -> Callable[[], object]:
    """
    Return a function that waits for the first signal in any thread, even while the main thread
    computes and runs no signal handlers: Python writes to the socket at once, whichever thread
    receives the signal.
    """
    told, tells = socket.socketpair()
    tells.setblocking(False)
    signal.set_wakeup_fd(tells.detach())
    for number in _STOP:
        signal.signal(number, lambda *_: None)
    return partial(told.recv, 1)


def _end_by_signal(
    worker: Worker, prepared: threading.Event, wait_for_signal: Callable[[], object]
) -> None:
    """
    Stop the worker after a signal, from a thread of its own: the main thread may be computing and
    run no handler. A running inference is awaited within a limit; a load or the import of torch is
    not.
    """
    wait_for_signal()
    worker.end()
    until_s = time.monotonic() + FINISH_S
    while prepared.is_set() and not worker.loading and time.monotonic() < until_s:
        time.sleep(_LOOK_S)
    os._exit(0 if worker.loading or not prepared.is_set() else 1)
