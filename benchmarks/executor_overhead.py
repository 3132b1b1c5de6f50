"""What an executor costs beside the execution: the way of an order there and of its report back.

\b
    python -m benchmarks.executor_overhead --variant glyph-3

A thread of this process, a child process (tensors in shared memory) and a worker (gRPC on this
machine), one batch at a time, each a moment after the one before.
"""

import time
from math import inf
from queue import SimpleQueue

import click
import numpy as np

from benchmarks.machine import machine
from benchmarks.workers.cluster import cluster
from benchmarks.workers.offered import catalogue, image
from infadapter_server.executors.messages import (
    ExecutorReady,
    Infer,
    Inferred,
    LoadModel,
    ModelLoaded,
    Report,
)
from infadapter_server.executors.opening import torch_opener
from infadapter_server.executors.port import Executor
from infadapter_server.executors.process import ProcessExecutor
from infadapter_server.executors.remote.executor import RemoteExecutor
from infadapter_server.executors.slots import slot_bytes_for
from infadapter_server.executors.thread import ThreadExecutor
from infadapter_server.networks.signatures import SIGNATURES
from infadapter_server.networks.stored import Stored

PAUSE_S = 0.003
Told = SimpleQueue[tuple[float, Report]]


@click.command(help=__doc__)
@click.option("--variant", type=click.Choice(list(SIGNATURES)), default="glyph-3")
@click.option("--batch", type=click.IntRange(min=1), default=1, show_default=True)
@click.option("--repeat", type=click.IntRange(min=10), default=1000, show_default=True)
def main(variant: str, batch: int, repeat: int) -> None:
    print(machine("torch", "grpcio"))
    (stored,) = catalogue(1, (variant,)).values()
    print("ms".ljust(10) + "".join(f"{way:>22}" for way in ("there", "back", "execution")))
    print(" " * 10 + f"{'p50   p90   p99':>22}" * 3)
    _measure("thread", ThreadExecutor("thread", torch_opener()), stored, batch, repeat)
    slot_bytes = batch * slot_bytes_for([stored])
    child = ProcessExecutor("process", torch_opener, slot_bytes=slot_bytes)
    _measure("process", child, stored, batch, repeat)
    with cluster(1) as (worker,):
        _measure("gRPC", RemoteExecutor("worker", worker.address), stored, batch, repeat)


def _measure(name: str, executor: Executor, stored: Stored, batch: int, repeat: int) -> None:
    told: Told = SimpleQueue()
    executor.start(lambda report: told.put((time.monotonic(), report)))
    assert isinstance(told.get()[1], ExecutorReady)
    executor.submit(LoadModel(stored, 0.0, inf))
    assert isinstance(told.get()[1], ModelLoaded)
    taken = np.array([_once(executor, told, stored, run, batch) for run in range(repeat)])
    columns = 1000 * np.percentile(taken, [50, 90, 99], axis=0).T
    print(name.ljust(10) + "".join("{:>10.2f} {:>5.2f} {:>5.2f}".format(*way) for way in columns))
    executor.stop(within_s=5)


def _once(
    executor: Executor, told: Told, stored: Stored, run: int, batch: int
) -> tuple[float, float, float]:
    time.sleep(PAUSE_S)
    rows = (image(stored),) * batch
    sent_s = time.monotonic()
    executor.submit(Infer(run, stored.name, rows, sent_s, inf))
    told_s, report = told.get()
    assert isinstance(report, Inferred)
    return report.begin_s - sent_s, told_s - report.end_s, report.end_s - report.begin_s


if __name__ == "__main__":
    main()
