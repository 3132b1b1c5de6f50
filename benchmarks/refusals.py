"""
What a refusal costs, beside what the HTTP stack costs that says the same bytes to everybody.

\b
    python -m benchmarks.refusals --rate 1000 --rate 4000

The server has one core, the client the other; the SLO is so short that nobody can be answered in
time. Printed are microseconds of CPU for each request, in Python and in the kernel, and the age of
refusals. The bare stack is uvloop and httptools: no server in Python on these does less.
"""

import os
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import click

from benchmarks.columns import show_row
from benchmarks.machine import machine
from benchmarks.serving.networks import Network
from benchmarks.serving.runs import be_the_client, pin, server
from infadapter_server.loadgen import moments
from infadapter_server.loadgen.bodies import glyph_bodies
from infadapter_server.loadgen.client import replay, run
from infadapter_workload.outcomes import Outcome, percentile

VARIANT, SLO_S, SECONDS = "glyph-3", 0.001, 5.0
TICKS = os.sysconf("SC_CLK_TCK")
BARE = """
import asyncio, httptools, uvloop
ANSWER = (b"HTTP/1.1 503 Service Unavailable\\r\\ncontent-type: application/json\\r\\n"
          b"retry-after: 1\\r\\ncontent-length: 45\\r\\n\\r\\n" + b"x" * 45)
class Connection(asyncio.Protocol):
    def connection_made(self, transport):
        self.transport, self.parser = transport, httptools.HttpRequestParser(self)
    def data_received(self, data):
        self.parser.feed_data(data)
    def on_message_complete(self):
        self.transport.write(ANSWER)
async def main():
    loop = asyncio.get_running_loop()
    listening = await loop.create_server(Connection, "127.0.0.1", 0)
    print(listening.sockets[0].getsockname()[1], flush=True)
    await listening.serve_forever()
uvloop.run(main())
"""


@contextmanager
def bare() -> Iterator[tuple[int, int]]:
    """Its port and its process."""
    process = subprocess.Popen(
        [sys.executable, "-c", BARE],
        stdout=subprocess.PIPE,
        text=True,
        preexec_fn=lambda: pin(0),
    )
    try:
        assert process.stdout is not None
        yield int(process.stdout.readline()), process.pid
    finally:
        process.kill()
        process.communicate()


def cpu_s(pid: int) -> tuple[float, float]:
    """In Python, and in the kernel for it."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return int(fields[11]) / TICKS, int(fields[12]) / TICKS


def measure(name: str, port: int, pid: int, rate_rps: float) -> None:
    outcomes: list[Outcome] = []
    before_s = cpu_s(pid)
    run(
        replay(
            host="127.0.0.1",
            port=port,
            path=f"/v2/models/{VARIANT}/infer",
            bodies=glyph_bodies(seed=1),
            arrivals_s=moments.of_rate(rate_rps, SECONDS, seed=1),
            timeout_s=10.0,
            on_outcome=outcomes.append,
            start_s=time.monotonic() + 0.3,
        )
    )
    used_s = [after - before for after, before in zip(cpu_s(pid), before_s, strict=True)]
    ages_ms = [1000 * outcome.latency_s for outcome in outcomes if outcome.refused]
    found = [percentile(ages_ms, percent) or 0.0 for percent in (50, 99)]
    _row(
        f"{rate_rps:g}/s {name}",
        *(f"{1e6 * seconds / len(outcomes):.0f}" for seconds in (sum(used_s), *used_s)),
        f"{len(ages_ms) / len(outcomes):.1%}",
        *(f"{value:.2f}" for value in found),
    )


def _row(first: str, *cells: str) -> None:
    show_row(first, *cells, first_width=26, width=11)


@click.command(help=__doc__)
@click.option("--rate", "rates", type=click.FloatRange(1), multiple=True, default=(1000.0, 4000.0))
def main(rates: tuple[float, ...]) -> None:
    be_the_client()
    click.echo(machine("uvicorn", "uvloop", "httptools"))
    _row("", "µs CPU", "Python", "kernel", "refused", "age p50 ms", "p99")
    for rate_rps in rates:
        with bare() as (port, pid):
            measure("bare stack", port, pid, rate_rps)
        with server("ours", Network(VARIANT), SLO_S) as (port, pid):
            measure("ours", port, pid, rate_rps)


if __name__ == "__main__":
    main()
