"""What the noise of this machine costs the scheduler: python -m benchmarks.scheduler_noise.

Executions of a real network (PyTorch, one thread, batches of 1 to 8) are measured; their relative
errors are then the deviations of an executor in virtual time: once drawn at random (a bootstrap),
once in the order in which they were measured, since slow executions come in a row. Beside it an
exact executor: what that has more is the price of the safety buffer. `--remembered 20000` shows
what is kept, and what that costs, where the buffer remembers errors beyond its window.
"""

import random
import time
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from functools import partial
from itertools import cycle

import click
import numpy as np

from benchmarks.columns import show_row
from benchmarks.machine import machine
from infadapter_scheduler import (
    Arrival,
    Deviation,
    Model,
    Scheduler,
    World,
    exact,
    replay,
    resampled,
)

SIZES = (1, 2, 4, 8)
WARM_UPS = 50
LOADS = (0.5, 0.9, 1.2, 2.0)
SLOS = (20, 100)
"""× the one-request time."""

row = partial(show_row, first_width=30, width=16)


def in_order(errors: Sequence[float]) -> Deviation:
    """As they were measured, one after the other."""
    following = cycle(errors)
    return lambda seconds, draw: seconds * (1.0 + next(following))


def measured(variant: str, executions: int) -> tuple[Mapping[int, float], list[float]]:
    """Mean seconds by batch size, and the relative errors around them in their order."""
    from infadapter_server.networks.models import load
    from infadapter_server.networks.signatures import SIGNATURES

    model, draw = load(variant, None), random.Random(1)
    shape = SIGNATURES[variant].input_shape
    images = {size: np.zeros((size, *shape), np.float32) for size in SIZES}
    took: list[tuple[int, float]] = []
    for number in range(WARM_UPS + executions):
        size = draw.choice(SIZES)
        began_s = time.perf_counter()
        model(images[size])
        if number >= WARM_UPS:
            took.append((size, time.perf_counter() - began_s))
    means = {b: float(np.mean([t for size, t in took if size == b])) for b in SIZES}
    return means, [t / means[size] - 1.0 for size, t in took]


def arrivals(rate_rps: float, slo_s: float, requests: int) -> Iterator[Arrival]:
    draw, now_s = random.Random(2), 0.0
    for _ in range(requests):
        now_s += draw.expovariate(rate_rps)
        yield Arrival(now_s, "network", slo_s)


def show(
    name: str,
    model: Model,
    deviation: Deviation,
    slo_s: float,
    load: float,
    n: int,
    remembered: int,
) -> None:
    capacity_rps = max(b / t for b, t in model.execution_s.items() if 2 * t <= slo_s)
    asked = list(arrivals(load * capacity_rps, slo_s, n))
    world = World({model.name: model}, deviation=deviation, seed=3)
    fates = replay(Scheduler([model], remembered=remembered), asked, world)
    counts = Counter(fate.outcome for fate in fates)
    accepted = n - counts["refused"]
    row(
        name,
        f"{accepted:,}",
        str(counts["late"]),
        str(counts["cancelled"]),
        f"{100 * counts['on_time'] / accepted:.4f}",
        f"{100 * counts['on_time'] / n:.1f}",
        f"{100 * min(1.0, 1 / load):.1f}",
    )


@click.command()
@click.option("--variant", default="glyph-4", show_default=True)
@click.option("--executions", type=click.IntRange(100), default=2000, show_default=True)
@click.option("--requests", type=click.IntRange(1), default=200_000, show_default=True)
@click.option(
    "--remembered",
    type=click.IntRange(0),
    default=0,
    show_default=True,
    help="Executions beyond the buffer's window, of which the largest errors count.",
)
def main(variant: str, executions: int, requests: int, remembered: int) -> None:
    """Measure a network's executions, and serve with their errors in virtual time."""
    click.echo(f"{machine('numpy', 'torch')}\n")
    execution_s, errors = measured(variant, executions)
    seconds = ", ".join(f"{b}: {1000 * t:.2f}" for b, t in execution_s.items())
    quantiles = np.percentile(errors, [1, 50, 99, 99.9, 100])
    shown = ", ".join(f"{100 * value:+.0f}" for value in quantiles)
    click.echo(f"{variant}, ms by batch: {seconds}; errors, % (p1, p50, p99, p99.9, max): {shown}")
    row("", "accepted", "late", "cancelled", "% of accepted", "% of all", "C/λ %")
    deviations = {"exact": exact, "bootstrap": resampled(errors), "in order": in_order(errors)}
    model = Model("network", execution_s)
    for slo in SLOS:
        for load in LOADS:
            for name, deviation in deviations.items():
                title = f"{slo} × alone, {load:g}×, {name}"
                show(title, model, deviation, slo * execution_s[1], load, requests, remembered)


if __name__ == "__main__":
    main()
