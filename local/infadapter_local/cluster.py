"""
The Cluster of `bodies` on this machine: model servers as processes with real CPU limits.

A pod is a process. It is resized by its control group's quota, and stopped by SIGTERM, upon which
it goes on answering for a while, as a pod does.
"""

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from itertools import count

import aiohttp

from infadapter_local.asking import says_ok
from infadapter_local.processes import Child
from infadapter_local.router import free_ports
from infadapter_operator.domain.observed import Cause, Observed, Pod, Trouble
from infadapter_operator.domain.ports import StepRefused
from infadapter_operator.domain.steps import RemovePods, ReplacePods, ResizePod, ScaleUp
from infadapter_solver.problem import PodSize, Target

ServerCommand = Callable[[Target, int], list[str]]
"""The command of a target's server, which is to listen on this port of 127.0.0.1."""

Start = Callable[[str, list[str], int], Awaitable[Child]]
"""Starts a command under a name, with so many millicores; `Processes.start` or a nursery's."""

DRAIN_LIMIT_S = 30.0  # then a process that still runs is killed, as the kubelet does


@dataclass(slots=True, eq=False)
class LocalPod:
    """A server process, and what was asked of it."""

    name: str
    target: Target
    child: Child
    size: PodSize
    created_at_s: float
    address: str
    ready: bool = False
    leaving: bool = False
    was_ready: asyncio.Event = field(default_factory=asyncio.Event)
    tasks: list[asyncio.Task[None]] = field(default_factory=list)


class LocalCluster:
    """The pods of one service. Times are those of `observe`."""

    def __init__(
        self, start: Start, command: ServerCommand, session: aiohttp.ClientSession
    ) -> None:
        self._start_process = start
        self._session = session
        self._command = command
        self._pods: dict[str, LocalPod] = {}
        self._ended_cpu_s = 0.0
        self._numbers = count(1)
        self._now_s = 0.0
        self._crashes: dict[Target, Trouble] = {}  # of starts, until one succeeds
        self.failures: list[str] = []  # pods that ended unasked, with where their logs are

    async def observe(self, now_s: float) -> Observed:
        """The processes there are; those that have ended are gone."""
        self._now_s = now_s
        for pod in [pod for pod in self._pods.values() if not pod.child.running]:
            await self._forget(pod)
        live = list(self._pods.values())
        answers = await asyncio.gather(*(self._asks_ready(pod) for pod in live))
        for pod, ready in zip(live, answers, strict=True):
            pod.child.cpu_seconds()  # it may have ended before it is asked again
            pod.ready = ready and not pod.leaving
            if pod.ready:
                pod.was_ready.set()
                self._crashes.pop(pod.target, None)
        return Observed(
            pods=tuple(_seen(pod) for pod in live),
            desired_pods=self._count_wanted(live),
            refusals=dict(self._crashes),
        )

    async def take(self, step: ScaleUp | ResizePod | ReplacePods | RemovePods) -> None:
        """Raises StepRefused."""
        match step:
            case ScaleUp():
                await self._scale_up(step.target, step.size, step.pods)
            case ResizePod():
                self._resize(step)
            case ReplacePods():
                await self._replace(step)
            case RemovePods():
                for name in step.pods:
                    self._remove(self._pods.get(name))

    def millicores_held(self) -> Mapping[str, int]:
        """CPU by variant, of every process there is, from its creation to its end."""
        held: dict[str, int] = {}
        for pod in self._pods.values():
            variant = pod.target.variant
            held[variant] = held.get(variant, 0) + pod.size.cpu_millicores
        return held

    def cpu_seconds(self) -> float:
        """CPU time that all pods so far have used."""
        return self._ended_cpu_s + sum(pod.child.cpu_seconds() for pod in self._pods.values())

    async def stop(self) -> None:
        """End all pods at once."""
        pods = list(self._pods.values())
        for pod in pods:
            for task in pod.tasks:
                task.cancel()
            pod.child.cpu_seconds()
        await asyncio.gather(*(pod.child.end() for pod in pods))
        for pod in pods:
            pod.leaving = True
            await self._forget(pod)

    async def _scale_up(self, target: Target, size: PodSize, pods: int) -> None:
        there = sum(p.target == target and not p.leaving for p in self._pods.values())
        for _ in range(pods - there):
            await self._start(target, size)

    async def _start(self, target: Target, size: PodSize) -> LocalPod:
        name = f"{target.variant}-{next(self._numbers)}"
        (port,) = free_ports(1)
        command = self._command(target, port)
        try:
            child = await self._start_process(name, command, size.cpu_millicores)
        except OSError as error:
            raise StepRefused(f"{name} could not be started: {error}.") from error
        pod = LocalPod(
            name=name,
            target=target,
            child=child,
            size=size,
            created_at_s=self._now_s,
            address=f"127.0.0.1:{port}",
        )
        self._pods[name] = pod
        return pod

    def _resize(self, step: ResizePod) -> None:
        pod = self._pods.get(step.pod)
        if pod is None:
            raise StepRefused(f"There is no pod {step.pod} to resize.")
        try:
            pod.child.set_quota(step.size.cpu_millicores)
        except OSError as error:
            raise StepRefused(f"{pod.name} keeps its size: {error}.") from error
        pod.size = step.size

    async def _replace(self, step: ReplacePods) -> None:
        """New ones beside the old ones, which leave when as many new ones are ready."""
        same = [p for p in self._pods.values() if p.target == step.target and not p.leaving]
        old = [p for p in same if p.size != step.size]
        for _ in range(step.pods - (len(same) - len(old))):
            new = await self._start(step.target, step.size)
            if old:
                new.tasks.append(asyncio.create_task(self._take_over(new, old.pop())))

    async def _take_over(self, new: LocalPod, old: LocalPod) -> None:
        await new.was_ready.wait()
        self._remove(old)

    def _remove(self, pod: LocalPod | None) -> None:
        if pod is None or pod.leaving:
            return
        pod.leaving = True
        pod.tasks.append(asyncio.create_task(pod.child.end(DRAIN_LIMIT_S)))

    async def _forget(self, pod: LocalPod) -> None:
        await pod.child.end()
        self._ended_cpu_s += pod.child.cpu_seconds()
        if not pod.leaving:
            self.failures.append(str(pod.child.failure(f"ended ({pod.child.returncode})")))
            if not pod.was_ready.is_set():
                self._note_crash(pod)
        self._pods.pop(pod.name, None)

    def _note_crash(self, pod: LocalPod) -> None:
        """A start that ended by itself: of its target the first such, until one becomes Ready."""
        before = self._crashes.get(pod.target)
        self._crashes[pod.target] = Trouble(
            cause=Cause.CRASH,
            message=f"its server ends with exit code {pod.child.returncode} before it is Ready",
            since_s=self._now_s if before is None else before.since_s,
        )

    async def _asks_ready(self, pod: LocalPod) -> bool:
        return await says_ok(self._session, f"http://{pod.address}/v2/health/ready")

    def _count_wanted(self, live: list[LocalPod]) -> dict[Target, int]:
        wanted: dict[Target, int] = {}
        for pod in live:
            wanted[pod.target] = wanted.get(pod.target, 0) + (not pod.leaving)
        return wanted


def _seen(pod: LocalPod) -> Pod:
    return Pod(
        name=pod.name,
        target=pod.target,
        size=pod.size,
        wanted=pod.size,
        ready=pod.ready,
        created_at_s=pod.created_at_s,
        address=pod.address,
        leaving=pod.leaving,
    )
