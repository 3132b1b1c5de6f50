"""
What a refusal costs, beside what the HTTP stack costs that says the same bytes to everybody.

\b
    python -m benchmarks.refusals --rate 1000 --rate 4000
    python -m benchmarks.refusals --service-ms 3

The server has one core, the client the other; the SLO is so short that nobody can be answered in
time. Both servers are there all the time and are asked in turn, over connections that are kept.
Printed are microseconds of CPU of the thread that answers, for each request: of the middle window,
the least and the most; in Python and in the kernel; and the age of refusals. The bare stack is
uvloop and httptools: no server in Python on these does less.

With --service-ms a network computes beside, which takes so long for each image: then who is
answered (0.5 × the capacity) and who is refused (5 ×) meet cold caches. Of what the thread takes at
5 ×, answers count as at 0.5 ×, and the rest is the refusals'.
"""

import os
import time
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory

import click

from benchmarks.columns import show_row
from benchmarks.machine import machine
from benchmarks.serving.bare import bare
from benchmarks.serving.networks import Network
from benchmarks.serving.runs import be_the_client, execution_s, made, server
from infadapter_server.loadgen import moments
from infadapter_server.loadgen.bodies import glyph_bodies
from infadapter_server.loadgen.client import replay, run
from infadapter_workload.outcomes import Outcome, percentile

VARIANT, SLO_S, SECONDS, WINDOWS = "glyph-3", 0.001, 3.0, 5
COMPUTING_SLO_S, ANSWERED, REFUSED = 0.25, 0.5, 5.0
TICKS = os.sysconf("SC_CLK_TCK")


@dataclass(frozen=True, slots=True)
class Window:
    """What was asked in some seconds, and the CPU of the thread that answered."""

    outcomes: tuple[Outcome, ...]
    python_s: float
    kernel_s: float

    @property
    def answered(self) -> int:
        return sum(outcome.answered for outcome in self.outcomes)

    @property
    def each_us(self) -> float:
        return 1e6 * (self.python_s + self.kernel_s) / len(self.outcomes)


def window(model: str, port: int, pid: int, rate_rps: float, seed: int) -> Window:
    outcomes: list[Outcome] = []
    before_s = _cpu_s(pid)
    run(
        replay(
            host="127.0.0.1",
            port=port,
            path=f"/v2/models/{model}/infer",
            bodies=glyph_bodies(seed=1),
            arrivals_s=moments.of_rate(rate_rps, SECONDS, seed=seed),
            timeout_s=10.0,
            on_outcome=outcomes.append,
            start_s=time.monotonic() + 0.3,
        )
    )
    python_s, kernel_s = (
        after - before for after, before in zip(_cpu_s(pid), before_s, strict=True)
    )
    return Window(tuple(outcomes), python_s, kernel_s)


def _cpu_s(pid: int) -> tuple[float, float]:
    """Of the first thread, which answers: in Python, and in the kernel for it."""
    fields = Path(f"/proc/{pid}/task/{pid}/stat").read_text().rpartition(")")[2].split()
    return int(fields[11]) / TICKS, int(fields[12]) / TICKS


def compare(rate_rps: float) -> None:
    with bare() as bare_stack, server("ours", Network(VARIANT), SLO_S) as ours:
        servers = {"bare stack": bare_stack, "ours": ours}
        for port, pid in servers.values():
            window(VARIANT, port, pid, rate_rps, seed=0)  # warms up
        found: dict[str, list[Window]] = {name: [] for name in servers}
        for seed in range(1, WINDOWS + 1):
            for name, (port, pid) in servers.items():
                found[name].append(window(VARIANT, port, pid, rate_rps, seed))
    for name, windows in found.items():
        _show(f"{rate_rps:g}/s {name}", windows)


def _show(name: str, windows: list[Window]) -> None:
    outcomes = [outcome for each in windows for outcome in each.outcomes]
    ages_ms = [1000 * outcome.latency_s for outcome in outcomes if outcome.refused]
    each_us = [each.each_us for each in windows]
    python_s, kernel_s = (sum(each.python_s for each in windows), sum(w.kernel_s for w in windows))
    _row(
        name,
        *(f"{us:.0f}" for us in (median(each_us), min(each_us), max(each_us))),
        *(f"{1e6 * seconds / len(outcomes):.0f}" for seconds in (python_s, kernel_s)),
        f"{len(ages_ms) / len(outcomes):.1%}",
        *(f"{percentile(ages_ms, percent) or 0.0:.2f}" for percent in (50, 99)),
    )


def computing(service_s: float) -> None:
    """Of answers and of refusals while a network computes."""
    with TemporaryDirectory() as folder:
        network = made(Path(folder), service_s)
        capacity_rps = max(size / took_s for size, took_s in execution_s(network).items())
        be_the_client()
        with server("ours", network, COMPUTING_SLO_S) as (port, pid):
            found = {
                load: [
                    window(network.name, port, pid, load * capacity_rps, seed)
                    for seed in range(WINDOWS)
                ]
                for load in (ANSWERED, REFUSED)
            }
    answer_us = median(each.each_us for each in found[ANSWERED])
    refusals_us = [
        (each.each_us * len(each.outcomes) - answer_us * each.answered)
        / max(1, sum(outcome.refused for outcome in each.outcomes))
        for each in found[REFUSED]
    ]
    answered = sum(each.answered for each in found[REFUSED]) / SECONDS / WINDOWS
    click.echo(
        f"{network.name}, capacity {capacity_rps:.0f}/s: an answer takes {answer_us:.0f} µs beside "
        f"its execution, a refusal {median(refusals_us):.0f} ({min(refusals_us):.0f} to "
        f"{max(refusals_us):.0f}); {answered:.0f}/s are answered at {REFUSED:g} ×"
    )


def _row(first: str, *cells: str) -> None:
    show_row(first, *cells, first_width=26, width=11)


@click.command(help=__doc__)
@click.option("--rate", "rates", type=click.FloatRange(1), multiple=True)
@click.option("--service-ms", type=click.FloatRange(min=0.1), help="Of a network that computes.")
def main(rates: tuple[float, ...], service_ms: float | None) -> None:
    click.echo(machine("uvicorn", "uvloop", "httptools"))
    if service_ms is not None:
        computing(service_ms / 1000)
    if not rates and service_ms is not None:
        return
    be_the_client()
    columns = ("µs CPU", "least", "most", "Python", "kernel", "refused", "age p50 ms", "p99")
    _row("", *columns)
    for rate_rps in rates or (1000.0, 4000.0):
        compare(rate_rps)


if __name__ == "__main__":
    main()
