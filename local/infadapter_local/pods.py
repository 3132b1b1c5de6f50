"""
The pods on this machine: model servers as processes with real CPU limits. A pod is resized by its
control group's quota, and stopped by SIGTERM, after which it drains as a pod does.
"""

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from itertools import count

import aiohttp

from infadapter_local.asking import says_ok
from infadapter_local.processes import Child
from infadapter_local.router import free_ports
from infadapter_operator.domain.ports import ResizeInfeasible, StepRefused
from infadapter_profiles.wire import READY_PATH
from infadapter_solver.problem import PodSize, Target

ServerCommand = Callable[[Target, PodSize, int], list[str]]
"""Returns the command of a server of this size, listening on this port of 127.0.0.1."""

Start = Callable[[str, list[str], int], Awaitable[Child]]
"""Starts a command under a name with these millicores; `Processes.start` or a fork server's."""

DRAIN_LIMIT_S = 30.0  # after that a process is killed, as by the kubelet


@dataclass(slots=True, eq=False)
class LocalPod:
    """A server process and its requested state."""

    name: str
    target: Target
    child: Child
    size: PodSize
    created_at_s: float
    address: str
    answers_ready: bool = False
    was_ready: bool = False
    outdated: bool = False  # has an earlier template, and is being replaced
    leaving: bool = False
    tasks: list[asyncio.Task[None]] = field(default_factory=list)

    @property
    def ready(self) -> bool:
        return self.answers_ready and not self.leaving


class LocalPods:
    """Starts, resizes and ends pods; the desired number is the Deployment's."""

    def __init__(
        self, start: Start, command: ServerCommand, session: aiohttp.ClientSession
    ) -> None:
        self._start_process = start
        self._command = command
        self._session = session
        self._pods: dict[str, LocalPod] = {}
        self._numbers = count(1)
        self._ended_cpu_s = 0.0
        self.failures: list[str] = []  # pods that exited unexpectedly, with the paths of their logs

    def all(self) -> list[LocalPod]:
        """All pods, the oldest first."""
        return list(self._pods.values())

    def live(self, target: Target) -> list[LocalPod]:
        """Return the target's pods that are not terminating."""
        return [pod for pod in self._pods.values() if pod.target == target and not pod.leaving]

    async def ended(self) -> list[LocalPod]:
        """Return and remove the pods that have exited since the last call."""
        gone = [pod for pod in self.all() if not pod.child.running]
        for pod in gone:
            await self._forget(pod)
        return gone

    async def ask_ready(self) -> list[LocalPod]:
        """Probe all pods, and return those that became Ready."""
        pods = self.all()
        asked = (says_ok(self._session, f"http://{p.address}{READY_PATH}") for p in pods)
        for pod, answer in zip(pods, await asyncio.gather(*asked), strict=True):
            pod.child.cpu_seconds()  # it may exit before the next call
            pod.answers_ready = answer
        new = [pod for pod in pods if pod.ready and not pod.was_ready]
        for pod in new:
            pod.was_ready = True
        return new

    async def start(self, target: Target, size: PodSize, now_s: float) -> None:
        """Start a pod. Raises StepRefused."""
        name = f"{target.variant}-{next(self._numbers)}"
        (port,) = free_ports(1)
        command = self._command(target, size, port)
        try:
            child = await self._start_process(name, command, size.cpu_millicores)
        except OSError as error:
            raise StepRefused(f"{name} could not be started: {error}.") from error
        self._pods[name] = LocalPod(
            name=name,
            target=target,
            child=child,
            size=size,
            created_at_s=now_s,
            address=f"127.0.0.1:{port}",
        )

    def resize(self, name: str, size: PodSize) -> None:
        """Resize a pod. Raises StepRefused."""
        pod = self._pods.get(name)
        if pod is None:
            raise StepRefused(f"There is no pod {name} to resize.")
        if pod.size.batch_size != size.batch_size:
            raise ResizeInfeasible(f"{name} needs a restart to take batches of another size.")
        try:
            pod.child.set_quota(size.cpu_millicores)
        except OSError as error:
            raise StepRefused(f"{name} keeps its size: {error}.") from error
        pod.size = size

    def remove(self, name: str) -> None:
        pod = self._pods.get(name)
        if pod is not None and not pod.leaving:
            pod.leaving = True
            pod.tasks.append(asyncio.create_task(pod.child.end(DRAIN_LIMIT_S)))

    def millicores_held(self) -> Mapping[str, int]:
        """CPU by variant of every process, from its creation to its exit."""
        held: dict[str, int] = {}
        for pod in self._pods.values():
            variant = pod.target.variant
            held[variant] = held.get(variant, 0) + pod.size.cpu_millicores
        return held

    def cpu_seconds(self) -> float:
        """CPU time used by all pods so far."""
        return self._ended_cpu_s + sum(pod.child.cpu_seconds() for pod in self._pods.values())

    async def stop(self) -> None:
        """End all pods at once."""
        pods = self.all()
        for pod in pods:
            for task in pod.tasks:
                task.cancel()
            pod.child.cpu_seconds()
        await asyncio.gather(*(pod.child.end() for pod in pods))
        for pod in pods:
            pod.leaving = True
            await self._forget(pod)

    async def _forget(self, pod: LocalPod) -> None:
        await pod.child.end()
        self._ended_cpu_s += pod.child.cpu_seconds()
        if not pod.leaving:
            self.failures.append(str(pod.child.failure(f"ended ({pod.child.returncode})")))
        self._pods.pop(pod.name, None)
