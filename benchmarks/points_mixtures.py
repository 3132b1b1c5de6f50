"""
By how much capacities at a percentile don't add up: one pod with all of the paper's networks.

A plan takes a pod at a load between two points' capacities to be on the line between them. Here the
load is played, request by request, at random times, and what the pod delivers is held against that.
"""

from itertools import pairwise
from statistics import fmean

import click
import numpy as np

from benchmarks.machine import machine
from benchmarks.policies.cases import scenario
from infadapter_profiles.sizes import mean_accuracy
from infadapter_simulator.measures import Measures, measured
from infadapter_simulator.one_pod import GROUPED, in_one_pod
from infadapter_simulator.scenario import Scenario, Server
from infadapter_simulator.simulate import flat_history
from infadapter_simulator.world.of_requests import world_of_requests

CORES = (2, 4, 8, 16)
SECONDS = 600
WITHIN = (0.15, 0.5, 0.85)
"""Of the way from one point's capacity to the next one's."""

HEAD = ["cores", "between", "requests/s", "planned, %", "delivered, %", "violations, %", "off, %"]


def played(together: Scenario, cores: int, rps: float, seed: int) -> Measures:
    rng = np.random.default_rng(seed)
    arrivals_s = np.sort(rng.uniform(0, SECONDS, rng.poisson(rps * SECONDS)))
    world = world_of_requests(together, arrivals_s, flat_history(rps), SECONDS, seed)
    pod = world.start(GROUPED, together.allocation(GROUPED, 1000 * cores).size, ready=True)
    world.route({pod.name: 1})
    world.advance(float(SECONDS))
    return measured(world)


def rows(together: Scenario, cores: int, seeds: range) -> list[list[str]]:
    variant, allocation = together.variants[0], together.allocation(GROUPED, 1000 * cores)
    found = []
    ratios = [point.capacity_ratio for point in allocation.points]
    for at, (low, high) in enumerate(pairwise(ratios)):
        names = f"{allocation.points[at].name}, {allocation.points[at + 1].name}"
        for part in WITHIN:
            rps = (low + part * (high - low)) * allocation.capacity_rps
            planned = mean_accuracy(variant.segments(allocation), rps)
            each = [played(together, cores, rps, seed) for seed in seeds]
            delivered = fmean(m.effective_accuracy for m in each)
            missed = fmean(m.violations for m in each)
            figures = (f"{rps:.1f}", f"{100 * planned:.2f}", f"{100 * delivered:.2f}")
            off = f"{100 * (delivered / planned - 1):+.2f}"
            found.append([f"{cores}", names, *figures, f"{100 * missed:.2f}", off])
    return found


@click.command()
@click.option("--seeds", type=click.IntRange(1, 100), default=3, show_default=True)
def main(seeds: int) -> None:
    """Mixtures of two operating points beside what is planned of them, as Markdown."""
    click.echo(machine())
    click.echo("| " + " | ".join(HEAD) + " |\n" + "|---" * len(HEAD) + "|")
    together = in_one_pod(scenario(Server.SAME))
    for cores in CORES:
        for row in rows(together, cores, range(seeds)):
            click.echo("| " + " | ".join(row) + " |")


if __name__ == "__main__":
    main()
