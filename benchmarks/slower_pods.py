"""
What it costs to learn from misses alone that pods are slower than profiled, as Markdown.

\b
    python -m benchmarks.slower_pods --traces DIR --speed 0.8

The same traces with pods of this speed: ours as it is, which believes the profiles until pods miss,
beside ours that is told the truth from the first second. What lies between the two is the most that
any sign which comes before a miss could save.
"""

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from statistics import fmean

import click

from benchmarks.policies.cases import CASES, SLICE
from infadapter.progress import Progress, in_one_sentence
from infadapter_simulator.compare.candidates import ours
from infadapter_simulator.compare.jobs import Job, Jobs, do_all
from infadapter_simulator.measures import Measures, measured
from infadapter_simulator.scenario import Scenario
from infadapter_simulator.simulate import Workload
from infadapter_solver import Variant

TRACES = (SLICE, "autothrottle-bursty", "bursty", "on-off")
HEAD = ("trace", "profiles", "missed, %", "objective", "cores")


def played(scenario: Scenario, workload: Workload, seed: int) -> Measures:
    """Ours, on this workload."""
    ((policy),) = ours()
    _, world = policy(scenario, workload, seed)
    return measured(world)


def slower(scenario: Scenario, speed: float) -> Scenario:
    """Pods are, and the profiles do not say so."""
    speeds = {
        size: replace(known, service_s=known.service_s / speed)
        for size, known in scenario.speeds.items()
    }
    return replace(scenario, speeds=speeds)


def told(scenario: Scenario, speed: float) -> Scenario:
    """The profiles say so."""
    return replace(scenario, variants=tuple(_lower(each, speed) for each in scenario.variants))


def _lower(variant: Variant, speed: float) -> Variant:
    allocations = (replace(a, capacity_rps=speed * a.capacity_rps) for a in variant.allocations)
    return replace(variant, allocations=tuple(allocations))


def compared(name: str, folder: Path, speed: float, seeds: int) -> Mapping[str, list[Measures]]:
    case = CASES[name]
    slow = slower(case.scenario(), speed)
    scenarios = {"believed": slow, "told": told(slow, speed), "true": case.scenario()}
    jobs = tuple(
        Job(scenario=number, seed=seed, work=played)
        for number in range(len(scenarios))
        for seed in range(1, seeds + 1)
    )
    work = Jobs(part=case.read(folder), scenarios=tuple(scenarios.values()), jobs=jobs)
    found: list[Measures] = do_all(work, Progress())  # type: ignore[assignment]
    return {name: found[n * seeds : (n + 1) * seeds] for n, name in enumerate(scenarios)}


@click.command(help=__doc__)
@click.option("--traces", "folder", type=click.Path(exists=True, path_type=Path), required=True)
@click.option("--speed", type=click.FloatRange(0.1, 1.5), default=0.8, show_default=True)
@click.option("--seeds", type=click.IntRange(1, 20), default=3, show_default=True)
@click.option("--only", default=",".join(TRACES), show_default=True, metavar="NAME,…")
def main(folder: Path, speed: float, seeds: int, only: str) -> None:
    click.echo("| " + " | ".join(HEAD) + " |\n" + "|---" * len(HEAD) + "|")
    for trace in only.split(","):
        with in_one_sentence():
            found = compared(trace, folder, speed, seeds)
        for profiles, runs in found.items():
            cells = (
                CASES[trace].title,
                profiles if profiles != "true" else "true, and pods as fast",
                f"{100 * fmean(run.violations for run in runs):.2f}",
                f"{fmean(run.objective for run in runs):.4f}",
                f"{fmean(run.mean_cores for run in runs):.2f}",
            )
            click.echo("| " + " | ".join(cells) + " |")


if __name__ == "__main__":
    main()
