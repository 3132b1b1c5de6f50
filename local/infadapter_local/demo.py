"""
The demo from start to end: calibrate, play the trace against the loop and against the baselines,
report. Whatever happens, every process it started ends with it.
"""

import asyncio
import os
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from infadapter_local.cgroups import Cores, Quotas, cpu_limits, remove_abandoned
from infadapter_local.forks import Nursery, started_nursery
from infadapter_local.measure import check_variant, rescaled, speed_of
from infadapter_local.measures import measure_run
from infadapter_local.processes import Processes
from infadapter_local.report import Circumstances, Finished, headline, write_report
from infadapter_local.run import Place, play, server_command
from infadapter_local.shipped import shipped_profiles
from infadapter_local.spec import (
    BUDGET_MILLICORES,
    WHOLE_CORE,
    demo_service,
    full_budget,
    highest_rps,
    resized_single,
    static_single,
)
from infadapter_local.view import View
from infadapter_local.workload import LEAD_IN_S, Workload, load_trace, peak_rps, workload
from infadapter_operator.service import Service
from infadapter_solver import CPU
from infadapter_solver.profiles import Profile
from infadapter_variants.loadgen.traces import Trace
from infadapter_variants.profile_run import machine

PEAK_SHARE = 0.8
"""The default peak, of the rate that the whole budget serves with the fastest variant."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Options:
    """What the user asks for; None is what fits this machine."""

    trace: Path | None = None
    duration_s: float = 60.0
    scale: float | None = None
    out: Path = Path("demo-report")
    baselines: bool = True
    resized_single: bool = False
    seed: int = 1
    budget_millicores: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Policy:
    title: str
    service: Service
    explanation: str


async def demo(options: Options, view: View) -> Path:
    """
    Run it, and return the report's page.

    Raises TraceError, NothingFits, ProfileError, ProcessFailed, RunFailed or OSError.
    """
    trace = load_trace(options.trace, options.seed)
    if options.scale is not None:  # else it follows from what calibration finds
        workload(trace, duration_s=options.duration_s, scale=options.scale, seed=options.seed)
    options.out.mkdir(parents=True, exist_ok=True)
    remove_abandoned()
    limits = cpu_limits()
    view.say(limits_said(limits))
    with _ended_by_sigterm():
        async with Processes(limits, options.out / "logs") as processes:
            runs, about = await _play_all(options, trace, processes, view)
    view.conclude(headline(runs))
    return await asyncio.to_thread(write_report, options.out, runs, about)


async def _play_all(
    options: Options, trace: Trace, processes: Processes, view: View
) -> tuple[list[Finished], Circumstances]:
    limits = processes.limits
    async with started_nursery(processes) as nursery:
        calibrated, speeds = await calibrate(nursery, limits, view)
        budget_millicores = options.budget_millicores or default_budget(limits)
        service = demo_service(calibrated, budget_millicores, limits)
        for name in sorted(speeds.keys() - {variant.name for variant in service.variants}):
            view.say(f"{name} serves nothing within {1000 * service.slo_s:.0f} ms here.")
        peak = peak_rps(trace)
        scale = options.scale or PEAK_SHARE * highest_rps(service) / peak
        load = workload(trace, duration_s=options.duration_s, scale=scale, seed=options.seed)
        place = Place(
            processes=processes,
            start=nursery.start,
            command=server_command(service),
            folder=options.out,
            seed=options.seed,
        )
        policies = _policies(options, service, scale * peak)
        runs = [await _finish(policy, load, place, service, view) for policy in policies]
    return runs, Circumstances(
        machine=machine(),
        cores=len(os.sched_getaffinity(0)),
        limits=limits_said(limits),
        trace="generated burst" if options.trace is None else options.trace.name,
        duration_s=options.duration_s,
        scale=scale,
        seed=options.seed,
        speeds=speeds,
    )


async def calibrate(
    nursery: Nursery, limits: Quotas | Cores, view: View
) -> tuple[list[Profile], dict[str, float]]:
    """Return the shipped profiles rescaled to this machine, and by how much."""
    profiles = shipped_profiles()
    calibrated, speeds = [], {}
    for number, profile in enumerate(profiles):
        done = number / len(profiles)
        check = await check_variant(
            nursery.start,
            profile.variant,
            lambda what, _, done=done: view.step(what, done),  # type: ignore[misc]
            resizable=limits.resizable,
        )
        calibrated.append(rescaled(profile, check))
        speeds[profile.variant] = speed_of(profile, check)
    view.step("done", 1.0)
    return calibrated, speeds


def default_budget(limits: Quotas | Cores) -> int:
    """In millicores; whole cores where there are no quotas."""
    cores = len(os.sched_getaffinity(0))
    return BUDGET_MILLICORES if limits.resizable else WHOLE_CORE * cores


def limits_said(limits: Quotas | Cores) -> str:
    """How CPU is limited here, in a sentence."""
    if isinstance(limits, Quotas):
        return "CPU is limited by quotas of control groups, changed while servers run."
    return (
        "This user may not make control groups, so each server is pinned to one core: sizes are "
        "fixed at one core, and only variants adapt."
    )


def _policies(options: Options, service: Service, peak: float) -> list[Policy]:
    ours = Policy(
        title="infadapter",
        service=service,
        explanation="The operator's loop with all variants that serve within the SLO here.",
    )
    if not options.baselines:
        return [ours]
    single = static_single(service, peak)
    name = single.variants[0].name
    fixed = full_budget(service, peak)
    policies = [
        ours,
        Policy(
            title=f"{name} alone",
            service=single,
            explanation="The best single variant: of those that serve the trace's peak within the "
            "budget, each on the smallest size that does, the one of the highest objective; chosen "
            f"knowing the peak, and held throughout ({_said(single)}).",
        ),
        Policy(
            title="full budget, fixed",
            service=fixed,
            explanation="The most accurate choice for the trace's peak that the whole budget buys, "
            f"held throughout ({_said(fixed)}); traffic still goes to the most accurate first.",
        ),
    ]
    if options.resized_single:
        policies.append(
            Policy(
                title=f"{name} resized",
                service=resized_single(service, single),
                explanation="The same single variant, its size chosen by our loop.",
            )
        )
    return policies


def _said(service: Service) -> str:
    sizes = ", ".join(f"{v.name} on {v.allocations[0].cpu_millicores}m" for v in service.variants)
    return f"{service.min_replicas} pods: {sizes}, {service.budget[CPU]}m in all"


async def _finish(
    policy: Policy, load: Workload, place: Place, judge: Service, view: View
) -> Finished:
    run = await play(policy.title, policy.service, load, place, view.tick)
    measures = measure_run(
        run.outcomes,
        run.held,
        service=judge,
        begin_s=LEAD_IN_S,
        end_s=load.end_s,
        cpu_seconds_used=run.cpu_seconds_used,
    )
    return Finished(run=run, measures=measures, explanation=policy.explanation)


@contextmanager
def _ended_by_sigterm() -> Iterator[None]:
    """Let SIGTERM end the demo as Ctrl-C does."""
    task = asyncio.current_task()
    assert task is not None
    loop = asyncio.get_running_loop()
    loop.add_signal_handler(signal.SIGTERM, task.cancel)
    try:
        yield
    finally:
        loop.remove_signal_handler(signal.SIGTERM)
