"""
The simulator beside real servers, after `infadapter demo --out DIR`:
python -m benchmarks.simulator_vs_demo DIR

Each policy of the demo's report again, in virtual time: the same arrivals, service, calibrated
profiles, queue limits, looks and lead-in. A simulated server is one that takes equally long for
every request; a real one with a CPU quota stops for a part of every period of the quota, and
shares its machine.
"""

import json
from functools import partial
from pathlib import Path
from typing import Any

import click
import numpy as np

from benchmarks.columns import show_row
from benchmarks.virtual_demo import at_speed, judged, play
from infadapter_local.cgroups import Cores, Quotas
from infadapter_local.shipped import shipped_profiles
from infadapter_local.spec import demo_service, full_budget, resized_single, static_single
from infadapter_local.workload import LEAD_IN_S, load_trace, peak_rps
from infadapter_local.workload import Workload as Played
from infadapter_local.workload import workload as played
from infadapter_operator.domain.service import Service
from infadapter_simulator.measures import cores_over_time
from infadapter_simulator.world.queues import LATE, ON_TIME, REFUSED
from infadapter_simulator.world.world import World
from infadapter_solver import Profile

Json = dict[str, Any]
row = partial(show_row, first_width=20, width=13)


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
    speeds = report["circumstances"]["speeds"]
    return [
        at_speed(profile, speeds[profile.variant], loads.get(profile.variant, profile.load_time_s))
        for profile in shipped_profiles()
    ]


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


def trace_of(about: Json) -> str | None:
    return None if about["trace"] == "generated burst" else str(about["trace"])


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
    world, _ = play(policy, judge, profiles, load, speed)
    return measures_of(world)


def measures_of(world: World) -> tuple[str, ...]:
    """Of what came after the lead-in."""
    outcome, slots, effective = judged(world)
    shares = [
        effective,
        *((outcome != ON_TIME).mean(), *((outcome == k).mean() for k in (LATE, REFUSED))),
    ]
    traffic = world.traffic
    counted = traffic.arrivals_s >= LEAD_IN_S
    latency_s = (traffic.finish_s - traffic.arrivals_s)[counted][slots >= 0]
    at_s, cores = cores_over_time(world, 0.05)
    held = np.sum(list(cores.values()), axis=0)[at_s >= LEAD_IN_S].mean()
    p99_ms = 1000 * np.percentile(latency_s, 99)
    return (*(f"{100 * share:.2f} %" for share in shares), f"{p99_ms:.0f}", f"{held:.3f}")


if __name__ == "__main__":
    main()
