"""
Whether what a profile states holds: Poisson load at 0.95 of its capacity, for five minutes.

\b
    python -m benchmarks.profiles.hold --variant glyph-3 --slo-ms 50 --profile-seconds 60
    python -m benchmarks.profiles.hold --speed 0.35 --slo-ms 100        as on a slower machine
    python -m benchmarks.profiles.hold --virtual 30 --profile-seconds 24     an M/D/1 queue instead

It holds where no more than epsilon (1 %) is refused, late or failed: then p99 is within the SLO,
too. The status is 1 where it does not. With --virtual the SLO is so many services long, of 3 ms
each; 40 profiles are made and held, and nothing is measured in real time. --force profiles on a
machine that has other work to do, which says little about the profile.
"""

import asyncio
import tempfile
from pathlib import Path

import click

from benchmarks.machine import machine
from benchmarks.profiles.runs import Case, held, profiled
from infadapter_local.cgroups import Quotas, cpu_limits
from infadapter_profiles.profile import KnownCapacity
from infadapter_server.networks.signatures import SIGNATURES
from infadapter_server.profiling.search import Search
from infadapter_server.profiling.steps import Goal, Step
from tests.model_variants.virtual_bench import Queue, searched_alone

SHARE, EPSILON = 0.95, 0.01
SERVICE_S, SEEDS, OTHER_SEEDS = 0.003, 40, 1_000


def in_virtual_time(services: int, profile_s: float, seconds: float) -> tuple[int, float]:
    """How many of the capacities hold, and the largest share that was missed."""
    goal = Goal(slo_s=services * SERVICE_S, percentile=99, epsilon=EPSILON)
    missed = [
        _missed(goal, SHARE * _found(goal, profile_s, seed).rps, seconds, seed)
        for seed in range(SEEDS)
    ]
    return sum(share <= EPSILON for share in missed), max(missed)


def _found(goal: Goal, profile_s: float, seed: int) -> KnownCapacity:
    search = Search(
        bench=Queue(SERVICE_S, seed),
        goal=goal,
        saturation_rps=1 / SERVICE_S,
        seconds=profile_s,
        seed=0,
    )
    return searched_alone(search)


def _missed(goal: Goal, rate_rps: float, seconds: float, seed: int) -> float:
    step = Step(goal=goal, rate_rps=rate_rps, seconds=seconds, warm_up_s=0, seed=0)
    seen = asyncio.run(Queue(SERVICE_S, OTHER_SEEDS + seed).take(step))
    return seen.missed / seen.sent


def in_real_time(case: Case, seconds: float) -> bool:
    with tempfile.TemporaryDirectory() as folder:
        run = profiled(case, Path(folder), 0)
    if run.failure is not None:
        raise click.ClickException(f"No profile: {run.failure}")
    return all([_holds(case, known, seconds) for known in run.capacities])


def _holds(case: Case, known: KnownCapacity, seconds: float) -> bool:
    found = held(case, known, SHARE * known.rps, seconds)
    verdict = "holds" if found.missed_ratio <= EPSILON else "DOES NOT HOLD"
    stated = f"{known.rps:.1f} ({known.low_rps or 0:.1f} to {known.high_rps or 0:.1f})"
    slo = f"p99 ≤ {1e3 * known.latency_s:g} ms"
    click.echo(f"{slo}: {SHARE} x {stated} for {seconds:g} s {verdict}: {found}")
    return verdict == "holds"


@click.command(help=__doc__)
@click.option("--variant", type=click.Choice(list(SIGNATURES)), default="glyph-3")
@click.option("--slo-ms", "slos_ms", type=int, multiple=True, default=(50,), show_default=True)
@click.option("--seconds", type=float, default=300.0, show_default=True, help="Of the load.")
@click.option("--profile-seconds", type=float, default=60.0, show_default=True)
@click.option("--millicores", type=int, default=1000, show_default=True)
@click.option("--speed", type=float, default=1.0, show_default=True)
@click.option("--virtual", "services", type=click.IntRange(2), help="Services in an SLO.")
@click.option("--force", is_flag=True, help="On a machine that has other work to do.")
def main(
    variant: str,
    slos_ms: tuple[int, ...],
    seconds: float,
    profile_seconds: float,
    millicores: int,
    speed: float,
    services: int | None,
    force: bool,
) -> None:
    if services is not None:
        good, worst = in_virtual_time(services, profile_seconds, seconds)
        click.echo(f"{good} of {SEEDS} capacities hold; at most {worst:.2%} missed")
        raise SystemExit(good < 0.9 * SEEDS)
    click.echo(machine("torch", "numpy"))
    limits = cpu_limits(speed=speed)
    group = limits.group(millicores).folder if isinstance(limits, Quotas) else None
    try:
        case = Case(variant, slos_ms, profile_seconds, millicores, group, force)
        raise SystemExit(not in_real_time(case, seconds))
    finally:
        if isinstance(limits, Quotas):
            limits.remove_all()


if __name__ == "__main__":
    main()
