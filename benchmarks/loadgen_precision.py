"""How late the load generator sends, by rate: python benchmarks/loadgen_precision.py --help.

What is measured is the sending, so the server only answers: a process of its own on another core,
which does nothing but count bytes. Rates are visited in turn, round after round, since a shared
machine has its moments; the median over the rounds is shown.
"""

import asyncio
import multiprocessing
import os
import platform
import statistics
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from multiprocessing.connection import Connection

import click

from infadapter_server.loadgen import make_timely, replay, run
from infadapter_server.loadgen.bodies import glyph_bodies
from infadapter_workload.arrivals import constant_rate
from infadapter_workload.outcomes import summarise

RATES_RPS = (100, 300, 1_000, 2_000, 4_000)
ANSWER = b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\n{}"


class Answering(asyncio.Protocol):
    """Answers as soon as a whole request has come: all have the same length but for digits."""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = transport
        self.missing = 0

    def data_received(self, data: bytes) -> None:
        if not self.missing:
            head, _, rest = data.partition(b"\r\n\r\n")
            self.missing = int(head.rpartition(b": ")[2])
            data = rest
        self.missing -= len(data)
        if not self.missing:
            self.transport.write(ANSWER)  # type: ignore[attr-defined]


async def serve(port_to: Connection) -> None:
    loop = asyncio.get_running_loop()
    server = await loop.create_server(Answering, "127.0.0.1", 0)
    port_to.send(server.sockets[0].getsockname()[1])
    await server.serve_forever()


def serve_on_core_0(port_to: Connection) -> None:
    with suppress(OSError, AttributeError):
        os.sched_setaffinity(0, {0})
    run(serve(port_to))


@contextmanager
def answering_server() -> Iterator[int]:
    ours, theirs = multiprocessing.Pipe()
    context = multiprocessing.get_context("spawn")
    server = context.Process(target=serve_on_core_0, args=(theirs,), daemon=True)
    server.start()
    try:
        yield ours.recv()
    finally:
        server.terminate()
        server.join()


@click.command()
@click.option("--seconds", type=click.FloatRange(0.5, 60), default=3.0, show_default=True)
@click.option("--rounds", type=click.IntRange(1, 50), default=5, show_default=True)
@click.option("--rate", "rates", type=click.IntRange(1, 20_000), multiple=True, default=RATES_RPS)
def main(seconds: float, rounds: int, rates: tuple[int, ...]) -> None:
    """Print the sending error and the latency of a server that only answers, as a table."""
    bodies = glyph_bodies(seed=0)
    rows: dict[int, list[tuple[float, ...]]] = {rate: [] for rate in rates}
    with answering_server() as port:
        with suppress(OSError, AttributeError):
            os.sched_setaffinity(0, set(range(1, os.cpu_count() or 1)))
        make_timely()
        for number in range(rounds):
            for rate in rates:
                rows[rate].append(measure(port, bodies, rate, seconds, seed=number))
    click.echo(f"{platform.platform()}, {os.cpu_count()} CPUs; {rounds} x {seconds:g} s; medians")
    click.echo("| requests/s | sent late p50 ms | p99 ms | latency p50 ms | p99 ms |")
    click.echo("|---|---|---|---|---|")
    for rate, measured in rows.items():
        medians = [statistics.median(column) for column in zip(*measured, strict=True)]
        click.echo(f"| {rate} | " + " | ".join(f"{value:.3f}" for value in medians) + " |")


def measure(
    port: int, bodies: list[bytes], rate_rps: int, seconds: float, *, seed: int
) -> tuple[float, ...]:
    outcomes = run(
        replay(
            host="127.0.0.1",
            port=port,
            path="/v2/models/glyphs/infer",
            bodies=bodies,
            arrivals_s=constant_rate(rate_rps, seconds, seed=seed),
            timeout_s=5,
        )
    )
    summary = summarise(outcomes, duration_s=seconds)
    if summary.failed:
        raise click.ClickException(f"{summary.failed} requests failed: {dict(summary.errors)}.")
    numbers = (summary.send_late_p50_ms, summary.send_late_p99_ms, summary.p50_ms, summary.p99_ms)
    return tuple(number if number is not None else float("nan") for number in numbers)


if __name__ == "__main__":
    main()
