"""
What trials of loads and of batch sizes end, and what they cost where estimates are right.

\b
    python -m benchmarks.trials

In virtual time. Of three models two fit into memory, and the third is asked for seldom; or a model
gets twice what single requests allow. Without trials (0) and with them (1).
"""

import random
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import partial

import click

from benchmarks.columns import show_row
from benchmarks.machine import machine
from infadapter_scheduler import Arrival, Model, Scheduler, World, replay

SHARES = {"a": 10, "b": 10, "c": 1}
LOADS = ((0.3, 0.6, 30.0), (0.3, 0.6, 0.3), (0.3, 0.2, 0.3), (3.0, 0.2, 3.0), (30.0, 0.2, 30.0))
"""Seconds that loads take, deadlines, and what the third's is believed to take."""

TIMES_S = {1: 0.010, 2: 0.012, 4: 0.016, 8: 0.024}
WRONG, SLO_S = (1, 3, 10), 0.2

row = partial(show_row, first_width=44, width=16)


def arrivals_of(
    seconds: float, rps: float, slo_s: float, shares: Mapping[str, int]
) -> list[Arrival]:
    draw, at_s, found, names = random.Random(1), 0.0, list[Arrival](), list(shares)
    while at_s < seconds:
        at_s += draw.expovariate(rps)
        found.append(Arrival(at_s, draw.choices(names, list(shares.values()))[0], slo_s))
    return found


def served(told: Sequence[Model], world: World, arrivals: Sequence[Arrival]) -> list[str]:
    """On time in percent, of all and of the last model, without and with; and who was late then."""
    found, broken = list[str](), 0
    for trials in (False, True):
        fates = replay(Scheduler(told, trials=trials), arrivals, world)
        counts = Counter(fate.outcome for fate in fates)
        pairs = zip(fates, arrivals, strict=True)
        last = [fate.outcome == "on_time" for fate, a in pairs if a.model == told[-1].name]
        every = 100 * counts["on_time"] / len(arrivals)
        found.append(f"{every:.1f}; {100 * sum(last) / len(last):.1f}")
        broken = counts["late"] + counts["cancelled"]
    return [*found, str(broken)]


@click.command(help=__doc__)
@click.option("--seconds", default=1800, show_default=True, help="Virtual, of each row with loads.")
def main(seconds: int) -> None:
    click.echo(f"{machine('numpy')}\n")
    row("", "0: on time %", "1: on time %", "1: late")
    for load_s, slo_s, believed_s in LOADS:
        real = {name: Model(name, {1: 0.01}, load_s, 1) for name in SHARES}
        told = [*list(real.values())[:2], replace(real["c"], load_s=believed_s)]
        world = World(real, pages=2, shared_load=True)
        arrivals = arrivals_of(seconds, 21.0, slo_s, SHARES)
        title = f"loads of {load_s:g} s, one as {believed_s:g}; SLO {slo_s:g} s"
        row(title, *served(told, world, arrivals))
    for wrong in WRONG:
        told_s = {size: s * (1 if size == 1 else wrong) for size, s in TIMES_S.items()}
        world, arrivals = World({"m": Model("m", TIMES_S)}), arrivals_of(60, 200.0, SLO_S, {"m": 1})
        row(f"sizes from 2 on {wrong} × too long", *served([Model("m", told_s)], world, arrivals))


if __name__ == "__main__":
    main()
