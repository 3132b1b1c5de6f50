"""
What one pod with all networks is worth to the system: ours on the same load, three ways.

(i) separate pods for each of the paper's networks, (ii) one variant whose pods hold them all as
operating points, (iii) both offered. The grouped variant is derived from the separate profiles at
the same sizes; switching costs nothing, as all networks are resident, and its load time is the sum.
All three are held against what no policy exceeds that is offered both; with `--regret` each also
against the best schedule that was found in hindsight with the same pods.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from statistics import fmean

import click

from benchmarks.machine import machine
from benchmarks.policies.cases import CASES, SLICE, scenario
from infadapter.progress import Progress, in_one_sentence
from infadapter_simulator.compare.jobs import Job, Jobs, do_all
from infadapter_simulator.measures import Measures, measured
from infadapter_simulator.one_pod import GROUPED, beside, in_one_pod
from infadapter_simulator.part import Part
from infadapter_simulator.policies.hindsight.best_schedule import best_schedule
from infadapter_simulator.policies.hindsight.relaxation import upper_bound
from infadapter_simulator.policies.ours import Ours, service_of
from infadapter_simulator.scenario import Scenario, Server
from infadapter_simulator.simulate import Workload, simulate
from infadapter_simulator.world.world import World

WEIGHTS_MIB = {
    "resnet18": 44.7,
    "resnet34": 83.3,
    "resnet50": 97.8,
    "resnet101": 170.5,
    "resnet152": 230.4,
}
"""Of the files that torchvision publishes: its `_file_size`, all in float32."""

FORMS = ("separate", GROUPED, "both")
HEAD = ["trace", "pods", "violations, %", "effective accuracy", "accuracy of answers"]
HEAD += ["mean cores", "weights resident, MiB", "most", "plans", "objective", "regret at most, %"]
HEAD += ["regret, %"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Found:
    measures: Measures
    mean_mib: float
    most_mib: float
    best: float | None  # objective of the best schedule in hindsight; None: nobody asked


def forms() -> dict[str, Scenario]:
    """By name. Sizes, SLO, budget and weights are those of the other tables of policies."""
    separate = scenario(Server.SAME)
    together = in_one_pod(separate)
    return {"separate": separate, GROUPED: together, "both": beside(separate, together)}


def run_one(with_regret: bool, scenario: Scenario, load: Workload, seed: int) -> Found:
    world = simulate(Ours(service=service_of(scenario)), scenario, load, seed)
    mean_mib, most_mib = _resident(world)
    best = best_schedule(scenario, load, seed).measures.objective if with_regret else None
    return Found(measures=measured(world), mean_mib=mean_mib, most_mib=most_mib, best=best)


def bound(scenario: Scenario, load: Workload, seed: int) -> float:
    return upper_bound(scenario, load)


def _resident(world: World) -> tuple[float, float]:
    """Weights in all pods that hold anything, the mean over the run and the most."""
    mib_of = {**WEIGHTS_MIB, GROUPED: sum(WEIGHTS_MIB.values())}
    there: dict[int, float] = {}
    total = most = at_s = 0.0
    for held in world.held:
        now_s = min(held.at_s, world.seconds)
        total += sum(there.values()) * (now_s - at_s)
        at_s = now_s
        there[held.slot] = mib_of[held.target.variant] if held.millicores else 0.0
        most = max(most, sum(there.values()))
    total += sum(there.values()) * (world.seconds - at_s)
    return total / world.seconds, most


def row(trace: str, form: str, found: Sequence[Found], upper: Sequence[float]) -> str:
    own = [one.measures for one in found]
    answered = [m.effective_accuracy / (1 - m.violations) for m in own]
    regret = [1 - m.objective / most for m, most in zip(own, upper, strict=True)]
    cells = (
        trace,
        form,
        f"{100 * fmean(m.violations for m in own):.3f}",
        f"{100 * fmean(m.effective_accuracy for m in own):.2f}",
        f"{100 * fmean(answered):.2f}",
        f"{fmean(m.mean_cores for m in own):.2f}",
        f"{fmean(one.mean_mib for one in found):.0f}",
        f"{max(one.most_mib for one in found):.0f}",
        f"{fmean(m.plan_changes or 0.0 for m in own):.0f}",
        f"{fmean(m.objective for m in own):.4f}",
        f"{100 * fmean(regret):.2f}",
        _regret(found),
    )
    return "| " + " | ".join(cells) + " |"


def _regret(found: Sequence[Found]) -> str:
    below = [1 - one.measures.objective / one.best for one in found if one.best is not None]
    return f"{100 * fmean(below):.2f}" if below else "–"


def table(trace: str, part: Part, seeds: range, with_regret: bool) -> list[str]:
    scenarios = forms()
    jobs = [
        Job(scenario=at, seed=seed, work=partial(run_one, with_regret))
        for at in range(len(FORMS))
        for seed in seeds
    ]
    jobs += [Job(scenario=FORMS.index("both"), seed=seed, work=bound) for seed in seeds]
    in_order = tuple(scenarios[form] for form in FORMS)
    done = do_all(Jobs(part=part, scenarios=in_order, jobs=tuple(jobs)), Progress())
    runs = [one for one in done if isinstance(one, Found)]
    upper = [one for one in done if isinstance(one, float)]
    return [
        row(trace, form, runs[at * len(seeds) : (at + 1) * len(seeds)], upper)
        for at, form in enumerate(FORMS)
    ]


@click.command()
@click.option("--traces", "folder", type=click.Path(path_type=Path), help="Of recorded traces.")
@click.option("--only", default=f"{SLICE},bursty,on-off", show_default=True, metavar="NAME,…")
@click.option("--seeds", type=click.IntRange(1, 100), default=3, show_default=True)
@click.option("--regret", is_flag=True, help="Some minutes more for each run.")
def main(folder: Path | None, only: str, seeds: int, regret: bool) -> None:
    """Separate pods, pods with all networks, and both offered, as Markdown."""
    click.echo(machine())
    click.echo("| " + " | ".join(HEAD) + " |\n" + "|---" * len(HEAD) + "|")
    for name in only.split(","):
        if name == SLICE and not (folder and folder.exists()):
            click.echo(f"{name} is left out: --traces names no folder that holds it.", err=True)
            continue
        with in_one_sentence():
            part = CASES[name].read(folder or Path())
            for line in table(CASES[name].title, part, range(seeds), regret):
                click.echo(line)


if __name__ == "__main__":
    main()
