"""
Whether pods rest in a steady world: an hour of one load, on each of a grid of loads and profiles.

    python -m benchmarks.steady [--seconds 3600] [--loads 5,20,60]

Every load comes twice: as so many requests in each second, at random times in it, and as Poisson
arrivals. Counted is what a plan of after the first minutes starts, resizes or stops.
"""

import itertools
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass

import click
import numpy as np

from infadapter.profiles import read_preset
from infadapter_profiles.offered import offered
from infadapter_profiles.profile import Profile
from infadapter_simulator.policies.ours import CYCLE_S, Ours, service_of
from infadapter_simulator.scenario import Scenario, speeds_of
from infadapter_simulator.simulate import Workload, flat_history, simulate
from infadapter_simulator.world.world import World
from infadapter_solver import CPU, Objective, to_variant
from infadapter_workload.arrivals import arrival_times
from infadapter_workload.trace import Trace

SETTLED_S = 300
"""By then the first two plans are made and reached."""

SLO_S, PERCENTILE = 0.75, 99.0
LOADS_RPS = (8, 20, 60, 90, 180)
BUDGETS_CORES = (8, 20)


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    profiles: str
    finer: bool  # sizes than were measured
    cores: int
    rps: int
    counted: bool
    seconds: int
    cycle_s: float = CYCLE_S
    seed: int = 1

    def __str__(self) -> str:
        sizes = "finer sizes" if self.finer else "its sizes"
        arrivals = "counted" if self.counted else "Poisson"
        return f"{self.profiles}, {sizes}, {self.cores} cores, {self.rps} rps {arrivals}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Found:
    case: Case
    plans: int  # new ones, after it settled
    moves: int  # pods that started, went or changed their size since


def cases(seconds: int, loads: tuple[int, ...]) -> Iterator[Case]:
    grid = itertools.product(
        ("paper", "paper-raw"), (False, True), BUDGETS_CORES, loads, (True, False)
    )
    for profiles, finer, cores, rps, counted in grid:
        yield Case(
            profiles=profiles, finer=finer, cores=cores, rps=rps, counted=counted, seconds=seconds
        )


def found(case: Case) -> Found:
    world = played(case)
    held = [one for one in world.held if one.at_s > SETTLED_S]
    plans = [at_s for at_s in world.plan_changes_s or () if at_s > SETTLED_S]
    return Found(case=case, plans=len(plans), moves=len(held))


def played(case: Case) -> World:
    scenario = _scenario(read_preset(case.profiles), case)
    rates = np.full(case.seconds, float(case.rps))
    trace = Trace(name="steady", rates=rates, counted=case.counted)
    workload = Workload(
        name="steady",
        arrivals_s=arrival_times(trace, case.seed),
        seconds=case.seconds,
        history_rps=flat_history(case.rps),
    )
    return simulate(
        Ours(service=service_of(scenario), cycle_s=case.cycle_s), scenario, workload, case.seed
    )


def _scenario(profiles: tuple[Profile, ...], case: Case) -> Scenario:
    offers = offered if case.finer else to_variant
    variants = tuple(offers(profile, SLO_S, PERCENTILE) for profile in profiles)
    return Scenario(
        variants=variants,
        speeds=speeds_of(profiles, variants),
        slo_s=SLO_S,
        percentile=PERCENTILE,
        profiles={profile.variant: profile for profile in profiles},
        objective=Objective(budget={CPU: 1000 * case.cores}, loading_weight=0.001),
    )


@click.command()
@click.option("--seconds", type=int, default=3600 + SETTLED_S, show_default=True)
@click.option("--loads", default=",".join(map(str, LOADS_RPS)), show_default=True)
@click.option("--processes", type=int, default=2, show_default=True)
def main(seconds: int, loads: str, processes: int) -> None:
    """Print the cases in which pods moved, and how many rested."""
    grid = list(cases(seconds, tuple(int(part) for part in loads.split(","))))
    with ProcessPoolExecutor(processes) as pool:
        for one in pool.map(found, grid):
            if one.plans or one.moves:
                print(f"{one.case}: {one.plans} plans, {one.moves} moves", flush=True)
    print(f"{len(grid)} cases")


if __name__ == "__main__":
    main()
