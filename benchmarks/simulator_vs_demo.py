"""
The simulator beside real servers, after `infadapter demo --out DIR`:
python -m benchmarks.simulator_vs_demo DIR

Each policy of the demo's report again, in virtual time: the same arrivals, service, calibrated
profiles, queue limits, looks and lead-in. A simulated server is one that takes equally long for
every request; a real one with a CPU quota stops for a part of every period of the quota, and
shares its machine.
"""

import asyncio
import json
from collections.abc import Mapping
from contextlib import closing
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import Any

import click
import numpy as np

from benchmarks.columns import show_row
from infadapter_local.cgroups import Cores, Quotas
from infadapter_local.measure import Check, rescaled
from infadapter_local.run import LOOK_S
from infadapter_local.shipped import shipped_profiles
from infadapter_local.spec import demo_service, full_budget, resized_single, static_single
from infadapter_local.workload import LEAD_IN_S, load_trace, peak_rps
from infadapter_local.workload import Workload as Played
from infadapter_local.workload import workload as played
from infadapter_operator.demand import Delivered, History, NoData, Sample
from infadapter_operator.reconcile import Memory, look
from infadapter_operator.service import Service
from infadapter_simulator.bodies import SimulatedCluster, SimulatedRouter
from infadapter_simulator.measures import cores_over_time
from infadapter_simulator.policies.ours import virtual_loop
from infadapter_simulator.scenario import PodSpeed, Scenario, Server, Size
from infadapter_simulator.simulate import Workload, simulate
from infadapter_simulator.world.queues import LATE, ON_TIME, REFUSED, Floats
from infadapter_simulator.world.world import World
from infadapter_solver import CPU, Profile, Variant

Json = dict[str, Any]
row = partial(show_row, first_width=20, width=13)


@dataclass(slots=True)
class RouterCount:
    """The demand as the demo reads it: a counter, at every look."""

    world: World
    arrivals_s: Floats
    samples: list[Sample] = field(default_factory=list)
    read_s: float = 0.0

    def read(self) -> None:
        now_s = self.world.now_s
        low, high = np.searchsorted(self.arrivals_s, (self.read_s, now_s))
        if now_s > self.read_s:
            self.samples.append(Sample(now_s, float(high - low) / (now_s - self.read_s)))
        self.read_s = now_s

    async def history(self, window_s: float, now_s: float) -> History:
        recent = tuple(s for s in self.samples if s.at_s >= now_s - window_s)
        if not recent:
            raise NoData("Nothing was counted yet.")
        return History(recent)

    async def delivered(self, window_s: float, now_s: float) -> Mapping[str, Delivered]:
        """Not counted, as in the demo."""
        return {}


@dataclass(slots=True, kw_only=True)
class Loop:
    """The demo's loop, which begins with nothing."""

    service: Service
    limits: Mapping[tuple[str, int], int]
    loop: asyncio.AbstractEventLoop
    name: str = "demo"
    memory: Memory = field(default_factory=Memory)
    demand: RouterCount | None = None

    def begin(self, world: World, mean_rps: float) -> None:
        self.demand = RouterCount(world, world.traffic.arrivals_s)
        self.act(world)

    def next_act_s(self, now_s: float) -> float:
        return now_s + LOOK_S

    def act(self, world: World) -> None:
        assert self.demand is not None
        self.demand.read()
        cluster, router = SimulatedCluster(world), SimulatedRouter(world)
        turn = look(self.service, self.memory, self.demand, cluster, router, world.now_s)
        self.memory = replace(self.loop.run_until_complete(turn).memory, superseded={})

    def queue_limits(self, world: World) -> Mapping[tuple[str, int], int]:
        return self.limits


@click.command()
@click.argument("folder", type=click.Path(exists=True, file_okay=False, path_type=Path))
@click.option(
    "--speed", type=float, default=1.0, help="Of the servers, in what calibration found of them."
)
def main(folder: Path, speed: float) -> None:
    """Print the measures of each policy, real and simulated."""
    report: Json = json.loads((folder / "report.json").read_text())
    about = report["circumstances"]
    profiles = calibrated(report)
    service = service_of(report, profiles)
    trace = load_trace(trace_of(about), about["seed"])
    load = played(trace, duration_s=about["duration_s"], scale=about["scale"], seed=about["seed"])
    click.echo(f"{report['date']}, {about['machine']}, {about['cores']} cores; {about['limits']}")
    row("", "accuracy", "violations", "late", "refused", "p99 ms", "cores")
    policies = policies_of(service, about["scale"] * peak_rps(trace))
    for run, policy in zip(report["runs"], policies, strict=False):
        row(run["title"], *real(run["measures"]))
        row("  simulated", *simulated(policy, service, profiles, load, speed))


def calibrated(report: Json) -> list[Profile]:
    """The profiles as the demo rescaled them."""
    loads = {variant["name"]: variant["load_s"] for variant in report["service"]["variants"]}
    found = []
    for profile in shipped_profiles():
        speed = report["circumstances"]["speeds"][profile.variant]
        checked = {
            a.resources[CPU]: speed * a.saturation_rps
            for a in profile.allocations
            if a.saturation_rps
        }
        load_s = loads.get(profile.variant, profile.load_time_s)
        found.append(rescaled(profile, Check(load_s, checked)))
    return found


def service_of(report: Json, profiles: list[Profile]) -> Service:
    """The one that ran. Raises ClickException where the code no longer makes it of the report."""
    facts = report["service"]
    has_quotas = any(int(m) % 1000 for v in facts["variants"] for m in v["capacity_rps"])
    limits = Quotas(Path()) if has_quotas else Cores()
    service = demo_service(profiles, round(1000 * facts["budget_cores"]), limits)
    for variant, ran in zip(service.variants, facts["variants"], strict=True):
        made = {str(a.cpu_millicores): a.capacity_rps for a in variant.allocations}
        if any(abs(made[size] - rps) > 1e-3 * rps for size, rps in ran["capacity_rps"].items()):
            raise click.ClickException("The report was made with other profiles.")
    return service


def trace_of(about: Json) -> Path | None:
    return None if about["trace"] == "generated burst" else Path(about["trace"])


def policies_of(service: Service, peak: float) -> list[Service]:
    """In the order in which the demo runs them."""
    single = static_single(service, peak)
    return [service, single, full_budget(service, peak), resized_single(service, single)]


def real(measures: Json) -> tuple[str, ...]:
    names = ("effective_accuracy", "violations", "late", "refused")
    shares = (f"{100 * measures[name]:.2f} %" for name in names)
    return (*shares, f"{measures['p99_ms']:.0f}", f"{measures['mean_cores']:.3f}")


def simulated(
    policy: Service, judge: Service, profiles: list[Profile], load: Played, speed: float
) -> tuple[str, ...]:
    workload = Workload(
        name="demo",
        arrivals_s=load.arrivals_s,
        seconds=round(load.end_s),
        history_rps=np.empty(0),
    )
    with closing(virtual_loop()) as loop:
        acting = Loop(service=policy, limits=queue_limits(judge), loop=loop)
        world = simulate(acting, scenario_of(policy, profiles, speed), workload, 0)
    return measures_of(world)


def scenario_of(service: Service, profiles: list[Profile], speed: float) -> Scenario:
    return Scenario(
        variants=service.variants,
        speeds=speeds_of(service, profiles, speed),
        slo_s=service.slo_s,
        budget=service.budget,
        server=Server.PUBLISHED,
        start_overhead_s=0.0,  # it is in the load time, which is measured from the start on
        resize_s=0.0,
        weights_lag_s=0.1,  # Envoy asks every 0.15 s
        drain_s=0.5,
    )


def speeds_of(
    service: Service, profiles: list[Profile], speed: float
) -> dict[tuple[str, Size], PodSpeed]:
    """One request at a time; between measured sizes as if linear."""
    by_name = {profile.variant: profile for profile in profiles}
    return {
        (variant.name, allocation.size): PodSpeed(
            1, 1 / (speed * saturation_rps(by_name[variant.name], allocation.cpu_millicores))
        )
        for variant in service.variants
        for allocation in variant.allocations
    }


def saturation_rps(profile: Profile, millicores: int) -> float:
    sizes = [a.resources[CPU] for a in profile.allocations]
    rates = [a.saturation_rps or 0.0 for a in profile.allocations]
    return float(np.interp(millicores, sizes, rates))


def queue_limits(service: Service) -> Mapping[tuple[str, int], int]:
    """The demo's servers count the one that is being served too."""
    return {
        (variant.name, size): in_flight(variant, service.slo_s) - 1
        for variant in service.variants
        for size in range(100, 1001, 100)
    }


def in_flight(variant: Variant, slo_s: float) -> int:
    """As `infadapter_local.run` has it."""
    rps_per_core = max(1000 * a.capacity_rps / a.cpu_millicores for a in variant.allocations)
    return max(8, round(0.4 * rps_per_core * slo_s))


def measures_of(world: World) -> tuple[str, ...]:
    """Of what came after the lead-in."""
    traffic = world.traffic
    counted = traffic.arrivals_s >= LEAD_IN_S
    outcome, slots = traffic.outcomes()[counted], traffic.slot_of[counted]
    accuracy = np.array(
        [world.scenario.variant(name).accuracy for name in world.variant_of_slots()]
    )
    effective = accuracy[slots[outcome == ON_TIME]].sum() / len(outcome)
    shares = [
        effective,
        *((outcome != ON_TIME).mean(), *((outcome == k).mean() for k in (LATE, REFUSED))),
    ]
    latency_s = (traffic.finish_s - traffic.arrivals_s)[counted][slots >= 0]
    at_s, cores = cores_over_time(world, 0.05)
    held = np.sum(list(cores.values()), axis=0)[at_s >= LEAD_IN_S].mean()
    p99_ms = 1000 * np.percentile(latency_s, 99)
    return (*(f"{100 * share:.2f} %" for share in shares), f"{p99_ms:.0f}", f"{held:.3f}")


if __name__ == "__main__":
    main()
