"""
The demo from start to end: calibrate, play the trace with the loop and the baselines, write the
report. All processes that it started end with it, however it ends.
"""

import asyncio
import os
import signal
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from itertools import count
from pathlib import Path

from infadapter_local import ladder
from infadapter_local.calibration import check_variants, steps
from infadapter_local.cgroups import WHOLE_CORE, Cores, Quotas, cpu_limits, remove_abandoned
from infadapter_local.fork_client import ForkClient, started_fork_client
from infadapter_local.measure import variant_words
from infadapter_local.measures import measure_run
from infadapter_local.policies import Policy, compared
from infadapter_local.processes import Processes
from infadapter_local.report import Circumstances, Finished, headline, write_report
from infadapter_local.rescaling import rescaled, speed_of
from infadapter_local.run import Place, play, server_command
from infadapter_local.shipped import shipped_profiles
from infadapter_local.spec import (
    BUDGET_MILLICORES,
    STEP_MILLICORES,
    demo_service,
    highest_rps,
)
from infadapter_local.view import View
from infadapter_local.workload import LEAD_IN_S, Workload, burst, peak_rps, workload
from infadapter_operator.domain.service import Service
from infadapter_profiles.profile import Profile
from infadapter_server.profiling.run import machine
from infadapter_workload.trace import Trace

PEAK_SHARE = 0.88
"""
The default peak as a share of the rate that the whole budget serves with the fastest variant. The
second fastest reaches 0.75 to 0.85 of that rate here, so the budget cannot hold it for the peak.
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Options:
    """The user's options; None selects a value that fits this machine."""

    trace: Trace | None = None  # a generated burst
    trace_name: str = "generated burst"
    duration_s: float = 60.0
    scale: float | None = None
    out: Path = Path("demo-report")
    baselines: bool = True
    full_budget: bool = True
    resized_single: bool = False
    grouped: bool = True
    seed: int = 1
    budget_millicores: int | None = None
    speed: float = 1.0  # speed of the servers' cores, relative to this machine's


class NoSpeed(Exception):
    """This machine cannot emulate that speed; the message gives the reason."""


async def demo(options: Options, view: View) -> Path:
    """
    Run the demo and return the report's page. Raises TraceError, NoSpeed, NothingFits,
    ProfileError, ProcessFailed, RunFailed or OSError.
    """
    trace = options.trace or burst(options.seed)
    if options.scale is not None:  # otherwise it follows from the calibration
        workload(trace, duration_s=options.duration_s, scale=options.scale, seed=options.seed)
    remove_abandoned()
    limits = cpu_limits(speed=options.speed)
    if options.speed != 1 and not limits.resizable:
        raise NoSpeed("Another speed is played by CPU quotas, which this user may not set.")
    options.out.mkdir(parents=True, exist_ok=True)
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
    async with started_fork_client(processes) as fork_client:
        calibrated, speeds = await calibrate(fork_client, limits, view)
        budget_millicores = affordable(options.budget_millicores, limits, view)
        service = demo_service(calibrated, budget_millicores, limits)
        model = ladder.write_ladder(options.out, [profile.variant for profile in calibrated])
        grouped = None
        if options.baselines and options.grouped:
            profile = await _ladder(fork_client, calibrated, model, limits, view)
            grouped = demo_service([profile], budget_millicores, limits)
        for name in sorted(speeds.keys() - {variant.name for variant in service.variants}):
            view.say(f"{name} serves nothing within {1000 * service.slo_s:.0f} ms here.")
        peak = peak_rps(trace)
        scale = options.scale or PEAK_SHARE * highest_rps(service) / peak
        load = workload(trace, duration_s=options.duration_s, scale=scale, seed=options.seed)
        place = Place(
            processes=processes,
            start=fork_client.start,
            command=server_command(service, partial(_words, model)),
            folder=options.out,
            seed=options.seed,
        )
        policies = compared(
            service,
            scale * peak,
            baselines=options.baselines,
            whole=options.full_budget,
            resized=options.resized_single,
            grouped=grouped,
        )
        runs = [await _finish(policy, load, place, service, view) for policy in policies]
    return runs, _about(options, limits, scale, speeds)


def _about(
    options: Options, limits: Quotas | Cores, scale: float, speeds: Mapping[str, float]
) -> Circumstances:
    return Circumstances(
        machine=machine(),
        cores=len(os.sched_getaffinity(0)),
        limits=limits_said(limits),
        trace=options.trace_name,
        duration_s=options.duration_s,
        scale=scale,
        seed=options.seed,
        speeds=speeds,
        speed=options.speed,
    )


async def calibrate(
    fork_client: ForkClient, limits: Quotas | Cores, view: View
) -> tuple[list[Profile], dict[str, float]]:
    """Return the shipped profiles rescaled to this machine, and the speed of each variant."""
    profiles = shipped_profiles()
    done, of = count(), steps(profiles, limits)
    checks = await check_variants(
        fork_client.start, profiles, lambda what: view.step(what, next(done) / of), limits
    )
    view.step("done", 1.0)
    calibrated = [rescaled(profile, checks[profile.variant]) for profile in profiles]
    return calibrated, {p.variant: speed_of(p, checks[p.variant]) for p in profiles}


async def _ladder(
    fork_client: ForkClient,
    calibrated: Sequence[Profile],
    model: Path,
    limits: Quotas | Cores,
    view: View,
) -> Profile:
    """Return the profile of all networks in one pod."""
    profile = ladder.ladder_profile(calibrated)
    check = await ladder.check_ladder(
        fork_client.start, model, lambda what, _: view.step(what, 1.0), limits
    )
    said = ", ".join(
        f"{name} × {ratio:.2f}" for name, ratio in ladder.speeds(profile, check).items()
    )
    view.say(
        f"All networks in one pod start in {check.load_s:.1f} s, and serve on {check.millicores}m, "
        f"beside each alone: {said}."
    )
    return ladder.checked(profile, check)


def _words(model: Path, variant: str) -> list[str]:
    return ladder.server_words(model) if variant == ladder.VARIANT else variant_words(variant)


def affordable(asked_millicores: int | None, limits: Quotas | Cores, view: View) -> int:
    """Return the budget in millicores, lowered if the emulated faster cores do not exist here."""
    cores = len(os.sched_getaffinity(0))
    budget = asked_millicores or default_budget(limits, cores)
    if limits.speed <= 1:
        return budget
    step = STEP_MILLICORES
    most = int(WHOLE_CORE * cores / (2 * limits.speed) / step) * step
    if budget > most:
        view.say(
            f"The budget is {most}m in place of {budget}m: with as much again for pods that are "
            f"replaced, that is what {cores} cores are at {limits.speed:g} times their speed."
        )
    return min(budget, most)


def default_budget(limits: Quotas | Cores, cores: int) -> int:
    """Return the default budget in millicores; whole cores without quotas."""
    return BUDGET_MILLICORES if limits.resizable else WHOLE_CORE * cores


def limits_said(limits: Quotas | Cores) -> str:
    """Describe in a sentence how CPU is limited here."""
    if isinstance(limits, Quotas):
        played = f" Servers are {limits.speed:g} times as fast as this machine lets them be."
        said = "CPU is limited by quotas of control groups, changed while servers run."
        return said if limits.speed == 1 else said + played
    return (
        "This user may not make control groups, so each server is pinned to one core: sizes are "
        "fixed at one core, and only variants adapt."
    )


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
        plan_changes_s=run.plan_changes_s,
        starts_s=run.starts_s,
    )
    return Finished(run=run, measures=measures, explanation=policy.explanation)


@contextmanager
def _ended_by_sigterm() -> Iterator[None]:
    """Make SIGTERM end the demo as Ctrl-C does."""
    task = asyncio.current_task()
    assert task is not None
    loop = asyncio.get_running_loop()
    loop.add_signal_handler(signal.SIGTERM, task.cancel)
    try:
        yield
    finally:
        loop.remove_signal_handler(signal.SIGTERM)
