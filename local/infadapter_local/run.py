"""
One policy on one workload: router, pods, generator and the operator's loop, from start to end.

A policy is a Service: ours has all variants, a baseline fewer or a single choice. The same code
decides and acts for all of them, and in a cluster.
"""

import asyncio
import contextlib
import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

import aiohttp
import numpy as np

from infadapter_local.asking import short_session
from infadapter_local.cluster import LocalCluster
from infadapter_local.delivered import ServersDelivered
from infadapter_local.holding import Held
from infadapter_local.load import EnvoyLoad
from infadapter_local.pods import LocalPod, LocalPods, ServerCommand, Start
from infadapter_local.processes import Child, Processes
from infadapter_local.router import LocalRouter, started_router
from infadapter_local.workload import Workload
from infadapter_operator.domain.ports import Ports
from infadapter_operator.domain.service import Service
from infadapter_operator.domain.situation import State
from infadapter_operator.reconcile import Cycle, reconcile
from infadapter_profiles.wire import MODELS_PATH
from infadapter_server.interpreter import module_command
from infadapter_server.loadgen.records import Tail
from infadapter_solver.problem import CPU, PodSize, Target
from infadapter_workload.outcomes import Outcome

CYCLE_S = 0.25  # as five seconds, since a minute stands for twenty
DRAIN_S = 0.3  # twice the router's delay, so that a pod stops after its last request
TIMEOUT_S = 5.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Tick:
    """One cycle of the loop; times are seconds from the first arrival."""

    at_s: float
    cycle: Cycle
    millicores: Mapping[str, int]  # held, by variant


@dataclass(slots=True, kw_only=True)
class Run:
    """The state of a run so far."""

    title: str
    service: Service
    workload: Workload
    ticks: list[Tick] = field(default_factory=list)
    outcomes: list[Outcome] = field(default_factory=list)
    failures: list[str] = field(default_factory=list)
    cpu_seconds_used: float = 0.0  # of the pods
    router_cpu_seconds: float = 0.0
    loop_cpu_seconds: float = 0.0  # of this process, including the live view

    @property
    def now_s(self) -> float:
        return self.ticks[-1].at_s if self.ticks else 0.0

    @property
    def held(self) -> list[Held]:
        return [
            Held(at_s=tick.at_s, amounts={CPU: sum(tick.millicores.values())})
            for tick in self.ticks
        ]

    @property
    def plan_changes_s(self) -> list[float]:
        return [tick.at_s for tick in self.ticks if tick.cycle.plan_changed]

    @property
    def starts_s(self) -> list[float]:
        """Durations from a pod's creation to the cycle that saw it Ready."""
        starts: dict[str, float] = {}
        for seen in (tick.cycle for tick in self.ticks):
            for pod in seen.observed.pods if seen.observed else ():
                if pod.ready:
                    starts.setdefault(pod.name, seen.now_s - pod.created_at_s)
        return list(starts.values())


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """The environment of a run."""

    processes: Processes
    start: Start  # of a server
    command: ServerCommand
    folder: Path  # for logs and configurations
    seed: int


class RunFailed(Exception):
    """The run cannot continue; the message gives the reason."""


async def play(
    title: str,
    service: Service,
    workload: Workload,
    place: Place,
    on_tick: Callable[[Run], None],
) -> Run:
    """Play the workload. Raises RunFailed, ProcessFailed or OSError."""
    run = Run(title=title, service=service, workload=workload)
    began_cpu_s = time.process_time()
    async with short_session() as session:
        cluster = LocalCluster(LocalPods(place.start, place.command, session))
        async with started_router(
            place.processes,
            session,
            service_key=f"{service.namespace}/{service.name}",
            slo_s=service.slo_s,
            floors=service.floors,
            folder=place.folder,
        ) as router:
            try:
                await _play(run, cluster, router, session, place, on_tick)
            finally:
                run.cpu_seconds_used = cluster.pods.cpu_seconds()
                run.router_cpu_seconds = router.cpu_seconds()
                run.loop_cpu_seconds = time.process_time() - began_cpu_s
                run.failures = cluster.pods.failures
                await cluster.pods.stop()
    return run


async def _play(
    run: Run,
    cluster: LocalCluster,
    router: LocalRouter,
    session: aiohttp.ClientSession,
    place: Place,
    on_tick: Callable[[Run], None],
) -> None:
    key = router.service_key
    servers = ServersDelivered(
        session, lambda: with_points(run.service, cluster.pods.all()), run.service.slo_s
    )
    load = EnvoyLoad(session, router.admin_url, key, time.monotonic, run.service.slo_s, servers)
    generator = await _start_generator(run, router, place)
    try:
        with contextlib.closing(Tail(_outcomes_file(place))) as tail:
            await _loop(run, cluster, router, load, generator, tail, on_tick)
    finally:
        await generator.end()


async def _loop(
    run: Run,
    cluster: LocalCluster,
    router: LocalRouter,
    load: EnvoyLoad,
    generator: Child,
    tail: Tail,
    on_tick: Callable[[Run], None],
) -> None:
    """Run reconcile cycles until the generator has ended."""
    state, ports = State(), Ports(load, cluster, router)
    loop = asyncio.get_running_loop()
    due_s = loop.time()
    while generator.running:
        await load.read()
        now_s = time.monotonic()
        seen = await reconcile(run.service, state, ports, now_s)
        state = seen.state
        run.outcomes += tail.read_new()
        if tail.start is not None:
            at_s = now_s - tail.start.start_monotonic_s
            run.ticks.append(Tick(at_s=at_s, cycle=seen, millicores=cluster.pods.millicores_held()))
            on_tick(run)
        due_s = max(due_s + CYCLE_S, loop.time())
        await asyncio.sleep(due_s - loop.time())
    run.outcomes += tail.read_new()
    if generator.returncode != 0:
        raise RunFailed(str(generator.failure("ended early")))


async def _start_generator(run: Run, router: LocalRouter, place: Place) -> Child:
    arrivals = place.folder / "arrivals.txt"
    np.savetxt(arrivals, run.workload.arrivals_s, fmt="%.6f")
    outcomes = _outcomes_file(place)
    outcomes.unlink(missing_ok=True)
    url = f"{router.url}{MODELS_PATH}/{run.service.name}/infer"
    command = [*module_command("infadapter_server.loadgen"), "--url", url]
    command += ["--arrivals", str(arrivals), "--out", str(outcomes)]
    command += ["--timeout", str(TIMEOUT_S), "--seed", str(place.seed)]
    return await place.processes.start("generator", command)


def with_points(service: Service, pods: Iterable[LocalPod]) -> Mapping[str, str]:
    """Return addresses by name of the pods with operating points."""
    names = {name for name, profile in service.profiles.items() if profile.operating_points}
    return {pod.name: pod.address for pod in pods if pod.ready and pod.target.variant in names}


def _outcomes_file(place: Place) -> Path:
    return place.folder / "outcomes.jsonl"


def server_command(service: Service, words: Callable[[str], list[str]]) -> ServerCommand:
    """
    Return the command line of the demo's servers. All serve under the service's name and apply its
    SLO also to requests that bypass the router. `words` returns the arguments for a variant.
    """

    def command(target: Target, size: PodSize, port: int) -> list[str]:
        return [
            "infadapter-server",
            *words(target.variant),
            *("--host", "127.0.0.1", "--port", str(port)),
            *("--slo-ms", f"{1000 * service.slo_s:g}", "--drain-seconds", f"{DRAIN_S:g}"),
            *("--max-batch", f"{size.batch_size}"),
        ]

    return command
