"""
What a load costs the executions beside it, in one process that has two cores.

\b
    python -m benchmarks.loads_beside --variant glyph-4

One thread executes, another one loads the same network again and again, or rests, by turns. If
loads had a core of their own, the two rows of executions would be alike.
"""

import os
import threading
import time
from collections.abc import Callable

os.environ["OMP_NUM_THREADS"] = "1"  # before torch is imported

import click
import numpy as np

from benchmarks.columns import show_row
from benchmarks.machine import machine
from infadapter_server.networks.models import load
from infadapter_server.networks.signatures import SIGNATURES, Floats
from infadapter_workload.outcomes import percentile

WINDOW_S = 2.0


def repeated_s(work: Callable[[], object], until: Callable[[], bool]) -> list[float]:
    """How long each took."""
    took_s: list[float] = []
    while not until():
        began_s = time.perf_counter()
        work()
        took_s.append(time.perf_counter() - began_s)
    return took_s


def window(execute: Callable[[], object], variant: str, *, loads: bool) -> list[float]:
    """Executions for a while, and perhaps loads in another thread."""
    over = threading.Event()
    loader = threading.Thread(target=repeated_s, args=(lambda: load(variant, None), over.is_set))
    if loads:
        loader.start()
    end_s = time.perf_counter() + WINDOW_S
    took_s = repeated_s(execute, lambda: time.perf_counter() > end_s)
    over.set()
    if loads:
        loader.join()
    return took_s


@click.command(help=__doc__)
@click.option("--variant", type=click.Choice(list(SIGNATURES)), default="glyph-4")
@click.option("--rounds", type=click.IntRange(min=1), default=5, show_default=True)
def main(variant: str, rounds: int) -> None:
    click.echo(machine("torch"))
    model = load(variant, None)
    batch: Floats = np.zeros((1, *SIGNATURES[variant].input_shape), np.float32)
    took_s: dict[bool, list[float]] = {False: [], True: []}
    for _ in range(rounds):
        for loads, found in took_s.items():
            found += window(lambda: model(batch), variant, loads=loads)
    show_row("", "executions", "p50 ms", "p99", "p99.9", first_width=20, width=11)
    for loads, found in took_s.items():
        shown = [f"{1000 * (percentile(found, at) or 0.0):.2f}" for at in (50, 99, 99.9)]
        name = "beside loads" if loads else "alone"
        show_row(name, str(len(found)), *shown, first_width=20, width=11)


if __name__ == "__main__":
    main()
