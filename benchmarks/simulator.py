"""
How fast the simulator is, and how near to theory: python -m benchmarks.simulator --traces DIR

DIR holds twitter2021/day15_bursty_1260s.csv, the paper's slice, and twitter2021/
requests_per_second_days_01_14.txt.gz; without it, only what needs no trace is measured. With it,
this takes some minutes.
"""

import heapq
import math
import subprocess
import sys
import time
from collections.abc import Callable
from datetime import date
from functools import partial
from pathlib import Path
from typing import NamedTuple

import click
import numpy as np

from benchmarks.columns import show_row
from benchmarks.machine import machine
from infadapter_simulator.world.queues import MOST_WAITING, Floats, serve
from infadapter_workload.reading import read_trace

SLICE = Path("twitter2021") / "day15_bursty_1260s.csv"
DAYS = Path("twitter2021") / "requests_per_second_days_01_14.txt.gz"
DAY_S = 86_400
TEN = (
    "infadapter,infadapter-paper,ms-plus,proteus,ipa,vpa-resnet18,vpa-plus-resnet50,"
    "fixed-resnet18-8,fixed-resnet50-16,fixed-resnet18-20"
)
REQUESTS = 2_000_000
THEORY_REQUESTS = 10_000_000
PLAIN_REQUESTS = 200_000
SERVERS = (1, 2, 4, 8, 16)
LOADS = (0.5, 0.8, 0.9, 0.95)
REPEATS = 5

row = partial(show_row, first_width=34, width=16)


class Queue(NamedTuple):
    """One pod whose service time is 1, but for the noise."""

    servers: int
    arrivals: Floats
    noise: Floats


@click.command()
@click.option(
    "--traces",
    type=click.Path(exists=True, file_okay=False, path_type=Path),
    help="The folder of traces.",
)
def main(traces: Path | None) -> None:
    """Print a table of each."""
    click.echo(f"{date.today()}, {machine('numpy', 'numba')}\n")
    kernel()
    click.echo()
    theory()
    for title, file, measure in (
        ("the paper's slice", SLICE, slice_of_the_paper),
        ("growth", SLICE, growth),
        ("a day", DAYS, day),
    ):
        path = traces / file if traces else None
        if path and path.exists():
            click.echo()
            measure(path)
        else:
            click.echo(f"\nskipped: {title}, which needs {file} in --traces")


def kernel() -> None:
    """Requests per second of the inner loop, the best of some runs."""
    row("the queues alone", "requests/s", "ns/request")
    for servers in SERVERS:
        queue = poisson(0.9, servers, REQUESTS)
        rate(f"1 pod, servers: {servers}", lambda queue=queue: waits(queue), REQUESTS)  # type: ignore[misc]
    many = poisson(0.9, 32, REQUESTS)
    rate("8 pods of 4 servers, round robin", lambda: waits(many, pods=8), REQUESTS)
    rate("limit: numpy copies the arrays", lambda: copied(many), REQUESTS)
    few = poisson(0.9, 4, PLAIN_REQUESTS)
    rate("plain Python, 4 servers, heapq", lambda: plain(few), PLAIN_REQUESTS)


def rate(title: str, work: Callable[[], object], requests: int) -> None:
    work()
    took_s = min(timed(work) for _ in range(REPEATS))
    row(title, f"{requests / took_s:,.0f}", f"{1e9 * took_s / requests:.1f}")


def timed(work: Callable[[], object]) -> float:
    start = time.perf_counter()
    work()
    return time.perf_counter() - start


def poisson(load: float, servers: int, count: int, *, exponential: bool = False) -> Queue:
    rng = np.random.default_rng(1)
    arrivals = np.cumsum(rng.exponential(1 / (load * servers), count))
    return Queue(servers, arrivals, rng.exponential(1.0, count) if exponential else np.empty(0))


def waits(queue: Queue, pods: int = 1) -> Floats:
    """The kernel on equal pods that share the servers."""
    each = np.ones(pods, dtype=np.int64)
    count, start = len(queue.arrivals), np.empty(len(queue.arrivals))
    serve(
        queue.arrivals,
        queue.noise,
        np.empty(0),
        0,
        count,
        np.arange(pods),
        each,
        0 * each,
        np.zeros((pods, queue.servers // pods)),
        queue.servers // pods * each,
        np.ones(pods),
        MOST_WAITING * each,
        0 * each,
        0 * each,
        np.zeros((pods, MOST_WAITING)),
        math.inf,
        np.empty(count, dtype=np.int64),
        start,
        np.empty(count),
    )
    return start - queue.arrivals


def copied(queue: Queue) -> list[Floats]:
    """As many bytes as the kernel writes: pod, start, finish and the difference, by request."""
    return [queue.arrivals.copy() for _ in range(4)]


def plain(queue: Queue) -> list[float]:
    """The same queue as one would write it for a day's work."""
    free = [0.0] * queue.servers
    waited = []
    for now in queue.arrivals.tolist():
        start = max(now, free[0])
        heapq.heapreplace(free, start + 1.0)
        waited.append(start - now)
    return waited


def theory() -> None:
    """The relative error of the mean wait and of P(W > 0), over all sizes and loads."""
    row("errors against theory", "M/D/c: mean", "P(W > 0)", "M/M/c: mean", "P(W > 0)")
    for load in LOADS:
        for servers in SERVERS:
            equal = waits(poisson(load, servers, THEORY_REQUESTS))
            spread = waits(poisson(load, servers, THEORY_REQUESTS, exponential=True))
            row(
                f"servers: {servers}, load: {load}",
                *errors(equal, *m_d_c(load, servers)),
                *errors(spread, *m_m_c(load, servers)),
            )


def errors(found: Floats, mean: float, must_wait: float) -> tuple[str, str]:
    """With twice the standard error, from batches."""
    return relative(found, mean), relative((found > 1e-6).astype(np.float64), must_wait)


def relative(found: Floats, exact: float) -> str:
    means = found.reshape(100, -1).mean(axis=1)
    error, doubt = means.mean() / exact - 1, 2 * means.std(ddof=1) / 10 / exact
    return f"{100 * error:+.1f} ±{100 * doubt:.1f} %"


def m_d_c(load: float, servers: int) -> tuple[float, float]:
    """Mean wait and P(W > 0), from the numbers in system one service time apart."""
    most = servers + 500
    logs = np.cumsum(np.log(np.maximum(np.arange(most), 1)))
    arriving = np.exp(np.arange(most) * math.log(load * servers) - load * servers - logs)
    step = np.zeros((most, most))
    for number in range(most):
        left = max(number - servers, 0)
        step[number, left:] = arriving[: most - left]
        step[number, -1] += 1 - step[number].sum()
    equations = step.T - np.eye(most)
    equations[-1] = 1.0
    number_in_system = np.linalg.solve(equations, np.eye(most)[-1])
    waiting = np.maximum(np.arange(most) - servers, 0) @ number_in_system
    return float(waiting) / (load * servers), float(number_in_system[servers:].sum())


def m_m_c(load: float, servers: int) -> tuple[float, float]:
    """Erlang's C."""
    blocked = 1.0
    for number in range(1, servers + 1):
        blocked = load * servers * blocked / (number + load * servers * blocked)
    must_wait = blocked / (1 - load * (1 - blocked))
    return must_wait / (servers * (1 - load)), must_wait


def slice_of_the_paper(path: Path) -> None:
    row("the paper's slice (1,260 s)", "seconds")
    took("ten policies", "--trace", str(path), "--policies", TEN, "--no-regret")
    took("ten policies, with regret", "--trace", str(path), "--policies", TEN)


def day(path: Path) -> None:
    """The last one; days have less than 24 hours where the recording stopped."""
    first_s = read_trace(path).seconds - DAY_S
    part = ("--trace", str(path), "--from", str(first_s))
    row("the last day of Twitter's trace", "seconds")
    took("infadapter", *part, "--policies", "infadapter", "--no-regret")


def growth(path: Path) -> None:
    """More requests on pods that stay as they are; most would be refused."""
    row("the slice with more requests", "seconds")
    for factor in ("1", "10", "100"):
        fixed = ("--policies", "fixed-resnet18-20", "--no-regret")
        took(f"fixed, {factor} ×", "--trace", str(path), *fixed, "--rate-scale", factor)


def took(title: str, *options: str) -> None:
    command = [sys.executable, "-m", "infadapter", "simulate", *options]
    seconds = timed(lambda: subprocess.run(command, check=True, capture_output=True))
    row(title, f"{seconds:.1f}")


if __name__ == "__main__":
    main()
