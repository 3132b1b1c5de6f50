"""Whether a profile holds: reruns in its interval, load at 0.95 of its capacity, a disturbed run.

\b
    python -m benchmarks.profiles --variant glyph-3 --slo-ms 50 --seconds 60 --hold-seconds 300
    python -m benchmarks.profiles --speed 0.35        as on a machine 0.35 times as fast

Each run is the command `infadapter profile`, with a server of its own in a control group where this
machine permits one. On a machine that has other work to do every run ends with 3; --force measures
it nevertheless.
"""

import tempfile
from pathlib import Path

import click

from benchmarks.machine import machine
from benchmarks.profiles.runs import Case, Run, beside_others, held, profiled
from infadapter_local.cgroups import Quotas, cpu_limits
from infadapter_profiles.profile import KnownCapacity
from infadapter_server.networks.signatures import SIGNATURES

SHARE = 0.95


@click.command(help=__doc__)
@click.option("--variant", type=click.Choice(list(SIGNATURES)), default="glyph-3")
@click.option("--slo-ms", "slos_ms", type=int, multiple=True, default=(50,), show_default=True)
@click.option("--seconds", type=float, default=60.0, show_default=True, help="Of each run.")
@click.option("--reruns", type=click.IntRange(0), default=10, show_default=True)
@click.option("--hold-seconds", type=float, default=300.0, show_default=True, help="0: none.")
@click.option("--millicores", type=int, default=1000, show_default=True)
@click.option("--speed", type=float, default=1.0, show_default=True)
@click.option(
    "--ideal-ms",
    type=float,
    help="In place of the variant a server that sleeps so long for each request, one after the "
    "other: what is left is the profiler's own spread.",
)
@click.option("--force", is_flag=True, help="On a machine that has other work to do.")
def main(
    variant: str,
    slos_ms: tuple[int, ...],
    seconds: float,
    reruns: int,
    hold_seconds: float,
    millicores: int,
    speed: float,
    ideal_ms: float | None,
    force: bool,
) -> None:
    print(machine("torch", "numpy"), "\n", sep="\n")
    limits = cpu_limits(speed=speed)
    group = limits.group(millicores).folder if isinstance(limits, Quotas) else None
    case = Case(variant, slos_ms, seconds, millicores, group, force, ideal_ms)
    try:
        with tempfile.TemporaryDirectory() as folder:
            runs = [profiled(case, Path(folder), number) for number in range(reruns + 1)]
            _report_reruns(case, runs)
            if hold_seconds and runs[0].capacities:
                _report_held(case, runs[0], hold_seconds)
            print("beside 200 requests/s of another generator: ", end="")
            print(beside_others(case, Path(folder)))
    finally:
        if isinstance(limits, Quotas):
            limits.remove_all()


def _report_reruns(case: Case, runs: list[Run]) -> None:
    print(
        "| | first run | its interval | reruns | inside | of all pairs |\n|---|---|---|---|---|---|"
    )
    for run in runs:
        if run.failure is not None:
            print(f"- no profile: {run.failure}")
    good = [run for run in runs if run.failure is None]
    for number, slo_ms in enumerate(case.slos_ms if good else ()):
        first, *others = (run.capacities[number] for run in good)
        inside = sum(_inside(each, first) for each in others)
        found = [run.capacities[number] for run in good]
        pairs = [(one, other) for one in found for other in found if one is not other]
        share = sum(_inside(other, one) for one, other in pairs) / max(1, len(pairs))
        rates = ", ".join(f"{each.rps:.1f}" for each in others)
        print(
            f"| {case.variant}, {slo_ms} ms | {first.rps:.1f} | {_low(first):.1f}–"
            f"{_high(first):.1f} | {rates} | {inside} of {len(others)} | {share:.0%} |"
        )


def _report_held(case: Case, run: Run, seconds: float) -> None:
    for known in run.capacities:
        rate_rps = SHARE * known.rps
        found = held(case, known, rate_rps, seconds)
        slo = f"{1e3 * known.latency_s:g} ms"
        print(f"{SHARE} x {known.rps:.1f} for {seconds:g} s, SLO {slo}: {found}")


def _inside(one: KnownCapacity, other: KnownCapacity) -> bool:
    return _low(other) <= one.rps <= _high(other)


def _low(known: KnownCapacity) -> float:
    return known.low_rps or 0.0


def _high(known: KnownCapacity) -> float:
    return known.high_rps or 0.0


if __name__ == "__main__":
    main()
