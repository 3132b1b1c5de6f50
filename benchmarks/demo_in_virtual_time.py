"""
The demo on machines of several speeds, without any of them: does our loop beat the best single
variant there, and for how long does it hold more than the budget?

    python -m benchmarks.demo_in_virtual_time --speeds 0.2,0.35,0.5,1,2 --seeds 10
    python -m benchmarks.demo_in_virtual_time --vary 0.3    each variant's speed its own, too
    python -m benchmarks.demo_in_virtual_time --late        a platform that takes everything up late

What `make demo` plays is made as the demo makes it, of the shipped profiles rescaled to the speed.
A run is two policies of 66 simulated seconds. The lead-in is not counted.
"""

import json
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path

import click
import numpy as np

from benchmarks.columns import show_row
from benchmarks.virtual_demo import LATE_START_S, Loop, at_speed, judged, play
from infadapter_local.cgroups import Quotas
from infadapter_local.demo import PEAK_SHARE
from infadapter_local.shipped import shipped_profiles
from infadapter_local.spec import (
    BUDGET_MILLICORES,
    NothingFits,
    demo_service,
    highest_rps,
    static_single,
)
from infadapter_local.workload import LEAD_IN_S, load_trace, peak_rps, workload
from infadapter_simulator.holding import holding
from infadapter_simulator.world.queues import ON_TIME
from infadapter_simulator.world.world import World
from infadapter_solver import CPU, Profile

MOST_VIOLATIONS = 0.01
NEVER_MORE = 0.03
OURS = ("accuracy", "violations", "CPU-s", "plans", "peak", "over", "longest")
HEAD = ("seed", *OURS, "single", "violations", "CPU-s")
row = partial(show_row, first_width=8, width=11)


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """Of one policy in one run, after the lead-in."""

    effective_accuracy: float
    violations: float
    cpu_seconds: float
    plan_changes: int
    peak_cores: float
    core_seconds_over_budget: float
    longest_over_budget_s: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Played:
    """One run of both policies."""

    speed: float
    seed: int
    longest_start_s: float
    single: str
    ours: Outcome
    fixed: Outcome

    @property
    def is_better(self) -> bool:
        more_accurate = self.ours.effective_accuracy > self.fixed.effective_accuracy
        return more_accurate and self.ours.cpu_seconds <= self.fixed.cpu_seconds

    @property
    def over_budget_beyond_start_s(self) -> float:
        return self.ours.longest_over_budget_s - self.longest_start_s


def numbers(text: str) -> list[float]:
    """With commas, each above 0."""
    try:
        found = [float(part) for part in text.split(",")]
    except ValueError as error:
        raise click.BadParameter(f"{text!r} is not NUMBER,….") from error
    if not all(0 < number < 1000 for number in found):
        raise click.BadParameter("Speeds are above 0 and below 1000.")
    return found


@click.command()
@click.option("--speeds", type=numbers, default="0.2,0.35,0.5,1,2", show_default=True)
@click.option("--seeds", type=click.IntRange(1, 1000), default=10, show_default=True)
@click.option(
    "--vary",
    type=click.FloatRange(0, 0.95),
    default=0.0,
    help="Each variant's speed and load time by up to this share more or less.",
)
@click.option("--late", is_flag=True, help="Starts, resizes and weights come later.")
@click.option("--json", "file", type=click.Path(dir_okay=False, path_type=Path))
def main(speeds: list[float], seeds: int, vary: float, late: bool, file: Path | None) -> None:
    """Play ours and the best single variant at every speed, with seeds 1, 2, …"""
    row("speed", *HEAD)
    played: list[Played] = []
    for speed in speeds:
        for seed in range(1, seeds + 1):
            try:
                played.append(run(speed, seed, vary, late=late))
            except NothingFits as error:
                click.echo(f"{speed:g} {seed}: {error}")
                continue
            row(f"{speed:g}", *cells(played[-1]))
    click.echo("\n".join(verdict(played)))
    if file:
        file.write_text(json.dumps([asdict(one) for one in played], indent=1))


def run(speed: float, seed: int, vary: float, *, late: bool = False) -> Played:
    """Raises NothingFits."""
    profiles = profiles_at(speed, seed, vary)
    service = demo_service(profiles, BUDGET_MILLICORES, Quotas(Path()))
    trace = load_trace(None, seed)
    scale = PEAK_SHARE * highest_rps(service) / peak_rps(trace)
    load = workload(trace, duration_s=60.0, scale=scale, seed=seed)
    single = static_single(service, scale * peak_rps(trace))
    used = {variant.name for variant in service.variants}
    budget = service.budget[CPU]
    return Played(
        speed=speed,
        seed=seed,
        longest_start_s=max(p.load_time_s for p in profiles if p.variant in used)
        + (LATE_START_S if late else 0.0),
        single=single.variants[0].name,
        ours=outcome(*play(service, service, profiles, load, late=late), budget),
        fixed=outcome(*play(single, service, profiles, load, late=late), budget),
    )


def profiles_at(speed: float, seed: int, vary: float) -> list[Profile]:
    """What calibration would find; starts take as much longer as the machine is slower."""
    rng = np.random.default_rng([seed, 17])

    def varied() -> float:
        return float(rng.uniform(1 - vary, 1 + vary))

    return [
        at_speed(profile, speed * varied(), profile.load_time_s / speed * varied())
        for profile in shipped_profiles()
    ]


def outcome(world: World, loop: Loop, budget_millicores: int) -> Outcome:
    outcomes, _, effective = judged(world)
    held = holding(world.held, budget_millicores, LEAD_IN_S, world.seconds)
    return Outcome(
        effective_accuracy=effective,
        violations=float((outcomes != ON_TIME).mean()),
        cpu_seconds=held.core_seconds,
        plan_changes=sum(at_s >= LEAD_IN_S for at_s in loop.plan_changes_s),
        peak_cores=held.peak_cores,
        core_seconds_over_budget=held.core_seconds_over_budget,
        longest_over_budget_s=held.longest_over_budget_s,
    )


def cells(one: Played) -> list[str]:
    ours, fixed = one.ours, one.fixed
    return [
        str(one.seed),
        f"{100 * ours.effective_accuracy:.2f} %",
        f"{100 * ours.violations:.2f} %",
        f"{ours.cpu_seconds:.1f}",
        str(ours.plan_changes),
        f"{ours.peak_cores:.1f}",
        f"{ours.core_seconds_over_budget:.1f}",
        f"{ours.longest_over_budget_s:.1f} s",
        f"{100 * fixed.effective_accuracy:.2f} %",
        f"{100 * fixed.violations:.2f} %",
        f"{fixed.cpu_seconds:.1f}",
    ]


def verdict(played: Sequence[Played]) -> list[str]:
    def told(what: str, holds: Callable[[Played], bool]) -> str:
        return f"{what}: {sum(map(holds, played))} of {len(played)} runs"

    if not played:
        return ["nothing was played"]
    beyond_s = [one.over_budget_beyond_start_s for one in played]
    return [
        "",
        told("violations of at most 1 %", lambda p: p.ours.violations <= MOST_VIOLATIONS),
        told("violations of at most 3 %", lambda p: p.ours.violations <= NEVER_MORE)
        + f", the worst {100 * max(p.ours.violations for p in played):.2f} %",
        told("more accuracy than the single variant, no more CPU-seconds", lambda p: p.is_better),
        told(
            "over the budget no longer than the longest start",
            lambda p: p.over_budget_beyond_start_s <= 0,
        )
        + f", the worst {max(beyond_s):+.1f} s",
    ]


if __name__ == "__main__":
    main()
