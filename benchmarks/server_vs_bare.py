"""What the server costs: its throughput and latency against a bare torch loop on the same network.

\b
    python benchmarks/server_vs_bare.py --variant glyph-4 --rounds 7

Both use one thread. Where there are two cores or more, they share core 0 and the clients have
core 1. A machine's speed wanders by more than the difference sought, so the two take turns in
short windows and each round gives one ratio; believe the median of five or more, and none on a
machine that has other work to do. It takes about rounds × 4 × window seconds.
"""

import asyncio
import json
import multiprocessing
import os
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from multiprocessing.connection import Connection
from typing import Any
from urllib.error import HTTPError
from urllib.parse import urlsplit
from urllib.request import urlopen

import click
import numpy as np

from infadapter_server.networks.signatures import SIGNATURES, Floats

CLIENTS = 8
ONE_THREAD = {"OMP_NUM_THREADS": "1", "MKL_NUM_THREADS": "1"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Round:
    """Rates are inferences a second; latencies are medians in milliseconds."""

    bare_rps: float
    server_rps: float
    bare_ms: float
    server_ms: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """Where requests go, and one of them, ready to be sent."""

    host: str
    port: int
    request: bytes


@click.command(help=__doc__)
@click.option("--variant", type=click.Choice(list(SIGNATURES)), default="glyph-4")
@click.option("--rounds", type=click.IntRange(min=1), default=7, show_default=True)
@click.option(
    "--window", "window_s", type=click.FloatRange(min=0.1), default=2.0, show_default=True
)
@click.option("--json-body", is_flag=True, help="Send tensors as JSON instead of as bytes.")
def main(variant: str, rounds: int, window_s: float, json_body: bool) -> None:
    """Measure, printing each round as it ends."""
    os.environ.update(ONE_THREAD)
    with bare_loop(variant) as bare, server(variant) as address:
        _pin(1)
        place = Place(
            host=address[0], port=address[1], request=_request(variant, binary=not json_body)
        )
        print(f"{variant}, one thread, {'JSON' if json_body else 'binary'} tensors")
        print("          at saturation, /s           alone, p50 ms")
        print("round     bare  server   ratio     bare  server   added")
        results = []
        for number in range(1, rounds + 1):
            results.append(_measure(bare, place, window_s))
            _print_row(str(number), results[-1:])
        _print_row("median", results)


def _measure(bare: Connection, place: Place, window_s: float) -> Round:
    saturated = asyncio.run(_closed_loop(place, CLIENTS, window_s))
    bare_s = _bare_times(bare, window_s)
    alone = asyncio.run(_closed_loop(place, 1, window_s))
    bare_again_s = _bare_times(bare, window_s)
    return Round(
        bare_rps=(len(bare_s) + len(bare_again_s)) / (sum(bare_s) + sum(bare_again_s)),
        server_rps=len(saturated) / window_s,
        bare_ms=1000 * statistics.median(bare_s + bare_again_s),
        server_ms=1000 * statistics.median(alone),
    )


def _print_row(name: str, rounds: list[Round]) -> None:
    def median(value: Callable[[Round], float]) -> float:
        return statistics.median(map(value, rounds))

    print(
        f"{name:<6}{median(lambda r: r.bare_rps):8.1f}{median(lambda r: r.server_rps):8.1f}"
        f"{median(lambda r: r.server_rps / r.bare_rps):8.3f}"
        f"{median(lambda r: r.bare_ms):9.2f}{median(lambda r: r.server_ms):8.2f}"
        f"{median(lambda r: r.server_ms - r.bare_ms):8.2f}",
        flush=True,
    )


@contextmanager
def bare_loop(variant: str) -> Iterator[Connection]:
    """A process that runs the network for as many seconds as it is sent, and answers with times."""
    context = multiprocessing.get_context("spawn")
    ours, theirs = context.Pipe()
    process = context.Process(target=_run_bare, args=(theirs, variant), daemon=True)
    process.start()
    try:
        yield ours
    finally:
        process.kill()
        process.join()


def _run_bare(pipe: Connection, variant: str) -> None:
    from infadapter_server.networks.models import load

    _pin(0)
    model = load(variant, None)
    model.use_threads(1)
    batch = _images(variant)
    model(batch)
    while True:
        window_s = pipe.recv()
        times: list[float] = []
        began = time.perf_counter()
        end = began + window_s
        while began < end:
            model(batch)
            ended = time.perf_counter()
            times.append(ended - began)
            began = ended
        pipe.send(times)


def _bare_times(bare: Connection, window_s: float) -> list[float]:
    bare.send(window_s)
    times: list[float] = bare.recv()
    return times


@contextmanager
def server(variant: str) -> Iterator[tuple[str, int]]:
    """A server on core 0 with one thread; its address."""
    command = [sys.executable, "-m", "infadapter_server", "--variant", variant]
    process = subprocess.Popen(
        [*command, "--host", "127.0.0.1", "--port", "0", "--drain-seconds", "0"],
        stdout=subprocess.PIPE,
        text=True,
        preexec_fn=lambda: _pin(0),
    )
    assert process.stdout is not None
    address = urlsplit(process.stdout.readline().removeprefix("listening on ").strip())
    try:
        _wait_until_ready(f"{address.geturl()}/v2/health/ready")
        yield str(address.hostname), int(address.port or 0)
    finally:
        process.terminate()
        process.wait()
        process.stdout.close()


async def _closed_loop(place: Place, clients: int, window_s: float) -> list[float]:
    """Latencies of all requests that end in the window; every client sends when it is answered."""
    end = time.perf_counter() + window_s
    times = await asyncio.gather(*(_client(place, end) for _ in range(clients)))
    return [time for of_one in times for time in of_one]


async def _client(place: Place, end: float) -> list[float]:
    reader, writer = await asyncio.open_connection(place.host, place.port)
    times: list[float] = []
    began = time.perf_counter()
    while began < end:
        writer.write(place.request)
        head = await reader.readuntil(b"\r\n\r\n")
        await reader.readexactly(_content_length(head))
        ended = time.perf_counter()
        if not head.startswith(b"HTTP/1.1 200"):
            raise click.ClickException(f"The server answered {head[9:12].decode()}, not 200.")
        times.append(ended - began)
        began = ended
    writer.close()
    await writer.wait_closed()
    return times


def _wait_until_ready(url: str) -> None:
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline:
        try:
            with urlopen(url):
                return
        except HTTPError:
            time.sleep(0.1)
    raise click.ClickException("The server was not ready within 60 seconds.")


def _content_length(head: bytes) -> int:
    return int(head.lower().partition(b"\r\ncontent-length:")[2].partition(b"\r")[0])


def _images(variant: str) -> Floats:
    shape = (1, *SIGNATURES[variant].input_shape)
    return np.random.default_rng(7).random(shape, dtype=np.float32)


def _request(variant: str, *, binary: bool) -> bytes:
    images = _images(variant)
    name = SIGNATURES[variant].input_name
    tensor: dict[str, Any] = {"name": name, "shape": images.shape, "datatype": "FP32"}
    if binary:
        tensor["parameters"] = {"binary_data_size": images.nbytes}
    else:
        tensor["data"] = images.ravel().tolist()
    head = json.dumps({"inputs": [tensor], "parameters": {"binary_data_output": binary}}).encode()
    body = head + images.tobytes() if binary else head
    length = f"Inference-Header-Content-Length: {len(head)}\r\n" if binary else ""
    return (
        f"POST /v2/models/{variant}/infer HTTP/1.1\r\nHost: bench\r\n"
        f"Content-Length: {len(body)}\r\n{length}\r\n"
    ).encode() + body


def _pin(core: int) -> None:
    """Stay on one core, counted among those that this process was given; on one core do nothing."""
    cores = sorted(os.sched_getaffinity(0))
    if core < len(cores) > 1:
        os.sched_setaffinity(0, {cores[core]})


if __name__ == "__main__":
    main()
