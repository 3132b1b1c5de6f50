"""
What batches are worth to the plans: the same traces with profiles of a server that batches, and of
one that does not.

\b
    python -m benchmarks.batching_value --traces DIR

Each rung of the demo's ladder is flooded at each batch limit; what is read is the CPU time of the
server's process for each request, with HTTP and all, which other programs on the machine change far
less than rates. A batch of n takes n times that on one core. From these times the scheduler, in
virtual time, finds the goodput at the SLO; with such profiles ours plays the traces in the
simulator, whose pods are queues of these speeds. `--times FILE` keeps the times and reads them when
it is there.
"""

import json
from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from statistics import fmean

import click

from benchmarks.batching_value.profiles import PERCENTILE, Times, profiles
from benchmarks.batching_value.times import LIMITS, execution_s
from benchmarks.machine import machine
from benchmarks.policies.cases import CASES, SLICE
from benchmarks.serving.runs import be_the_client
from benchmarks.slower_pods import played
from infadapter.progress import Progress, in_one_sentence
from infadapter_profiles.offered import offered
from infadapter_profiles.profile import Profile
from infadapter_profiles.sizes import CPU
from infadapter_simulator.compare.jobs import Job, Jobs, do_all
from infadapter_simulator.measures import Measures
from infadapter_simulator.part import Part
from infadapter_simulator.scenario import Scenario, speeds_of
from infadapter_solver import Objective
from infadapter_workload.shaping import scaled

VARIANTS = tuple(f"glyph-{number}" for number in range(1, 6))
TRACES = (SLICE, "autothrottle-bursty", "bursty")
SERVERS = {"batch 1": (1,), "batches ≤ 8": (8,)}
FULL = 0.25
"""The traces' mean, of what the budget serves without batches: as the paper's trace on 20 cores."""


def scenario(ladder: Sequence[Profile], slo_s: float, cores: int) -> Scenario:
    variants = tuple(offered(profile, slo_s, PERCENTILE) for profile in ladder)
    return Scenario(
        variants=variants,
        speeds=speeds_of(ladder, variants),
        slo_s=slo_s,
        percentile=PERCENTILE,
        objective=Objective(budget={CPU: 1000 * cores}, cost_weight=0.05, loading_weight=0.001),
        profiles={profile.variant: profile for profile in ladder},
    )


def with_limits(profile: Profile, limits: Collection[int]) -> Profile:
    rows = (row for row in profile.allocations if row.size.batch_size in limits)
    return replace(profile, allocations=tuple(rows))


def most_rps(one: Scenario) -> float:
    """What the budget serves at most."""
    per_core = (
        1000 * a.capacity_rps / a.cpu_millicores for v in one.variants for a in v.allocations
    )
    return max(per_core) * one.budget[CPU] / 1000


def part_of(trace: str, folder: Path, mean_rps: float) -> Part:
    part = CASES[trace].read(folder)
    factor = mean_rps / float(part.played().rates.mean())
    return replace(part, trace=scaled(part.trace, factor, 0))


def measured_times(file: Path | None) -> Mapping[str, Times]:
    if file is not None and file.exists():
        kept = json.loads(file.read_text())
        return {name: {int(n): float(s) for n, s in times.items()} for name, times in kept.items()}
    be_the_client()
    found = {variant: execution_s(variant) for variant in VARIANTS}
    if file is not None:
        file.write_text(json.dumps(found))
    return found


def show(*cells: object) -> None:
    click.echo(f"| {' | '.join(map(str, cells))} |")


@click.command(help=__doc__)
@click.option("--traces", "folder", type=click.Path(exists=True, path_type=Path), required=True)
@click.option("--times", "file", type=click.Path(dir_okay=False, path_type=Path))
@click.option("--slo-ms", type=click.FloatRange(1), default=200.0, show_default=True)
@click.option("--cores", type=click.IntRange(1, 1000), default=8, show_default=True)
@click.option("--seeds", type=click.IntRange(1, 20), default=1, show_default=True)
def main(folder: Path, file: Path | None, slo_ms: float, cores: int, seeds: int) -> None:
    click.echo(machine("torch"))
    times = measured_times(file)
    measured = profiles(times, (1, 8), slo_ms / 1000)
    ladders = {name: [with_limits(p, limits) for p in measured] for name, limits in SERVERS.items()}
    _show_times(times, measured)
    scenarios = {name: scenario(ladder, slo_ms / 1000, cores) for name, ladder in ladders.items()}
    mean_rps = FULL * most_rps(scenarios["batch 1"])
    click.echo(f"\nMean of each trace: {mean_rps:.0f} requests/s\n")
    show("trace", "server", "missed, %", "objective", "accuracy in time", "cores")
    for trace in TRACES:
        with in_one_sentence():
            found = _played(part_of(trace, folder, mean_rps), list(scenarios.values()), seeds)
        for name, runs in zip(scenarios, found, strict=True):
            _show_runs(CASES[trace].title, name, runs)


def _show_times(times: Mapping[str, Times], ladder: Sequence[Profile]) -> None:
    sizes = [f"ms of CPU at limit {limit}" for limit in LIMITS]
    show("network", *sizes, "capacity of a core, batch 1", "batches ≤ 8")
    for profile in ladder:
        each_ms = (f"{1000 * times[profile.variant][n] / n:.2f}" for n in LIMITS)
        one, eight = (
            next(
                a.capacity[0].rps
                for a in profile.allocations
                if a.size.cpu_millicores == 1000 and a.size.batch_size == limit
            )
            for limit in (1, 8)
        )
        show(profile.variant, *each_ms, f"{one:.0f}/s", f"{eight:.0f}/s")


def _played(part: Part, scenarios: Sequence[Scenario], seeds: int) -> list[list[Measures]]:
    jobs = tuple(
        Job(scenario=number, seed=seed, work=played)
        for number in range(len(scenarios))
        for seed in range(1, seeds + 1)
    )
    work = Jobs(part=part, scenarios=tuple(scenarios), jobs=jobs)
    found: list[Measures] = do_all(work, Progress())  # type: ignore[assignment]
    return [found[n * seeds : (n + 1) * seeds] for n in range(len(scenarios))]


def _show_runs(trace: str, server: str, runs: Sequence[Measures]) -> None:
    show(
        trace,
        server,
        f"{100 * fmean(run.violations for run in runs):.2f}",
        f"{fmean(run.objective for run in runs):.4f}",
        f"{fmean(run.effective_accuracy for run in runs):.4f}",
        f"{fmean(run.mean_cores for run in runs):.2f}",
    )


if __name__ == "__main__":
    main()
