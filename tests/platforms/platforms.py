"""
The three platforms behind one interface: a cluster, its router, and time that tests let pass.

Only the adapters are real. Below them are an API server in memory, processes that do not exist, and
the simulator's world in virtual time.
"""

import asyncio
import signal
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any, Protocol

import numpy as np

from infadapter_local.cluster import LocalCluster
from infadapter_local.pods import LocalPods
from infadapter_local.processes import UNLIMITED, Child
from infadapter_local.router import LocalRouter
from infadapter_local.run import server_command
from infadapter_operator.domain.names import BATCH_ANNOTATION
from infadapter_operator.domain.observed import Observed
from infadapter_operator.domain.ports import Cluster, Router
from infadapter_operator.domain.service import Service
from infadapter_operator.envoy.xds import XdsServer
from infadapter_operator.kube.cluster import KubeCluster
from infadapter_operator.kube.other_autoscalers import OtherAutoscalers
from infadapter_operator.kube.routers.envoy import EnvoyRouter
from infadapter_operator.settings import Settings
from infadapter_simulator.platform import SimulatedCluster, SimulatedRouter
from infadapter_simulator.scenario import PodSpeed, Scenario
from infadapter_simulator.simulate import flat_history
from infadapter_simulator.world.of_requests import world_of_requests
from infadapter_solver.problem import CPU, Allocation, Objective, PodSize, Target, Variant
from tests.operator.kube.fakes import OWNER, FakeApi, poll, workload

KEY = "vision/resnet"  # the service whose configuration `poll` requests
TARGET = Target("r18")
ONE = Allocation(size=PodSize(resources={CPU: 1000}), capacity_rps=10.0)
TWO = Allocation(size=PodSize(resources={CPU: 2000}), capacity_rps=20.0)


BATCHING = Allocation(size=PodSize(resources={CPU: 3000}, batch_size=8), capacity_rps=40.0)
SIZES = (ONE, TWO, BATCHING)
FLOOR = 0.6
VARIANT = Variant(name=TARGET.variant, accuracy=0.7, load_time_s=1.0, allocations=SIZES)
SERVICE = Service(
    namespace="vision",
    name="resnet",
    slo_s=0.75,
    percentile=99.0,
    variants=(VARIANT,),
    objective=Objective(budget={CPU: 20_000}),
    max_surge={},
    accuracy_floor=FLOOR,
)


def asked(xds: XdsServer) -> list[float]:
    """Return the accuracy floors of the pods with traffic in the router's configuration."""
    return [float(backend.get("floor", 0.0)) for backend in xds.last_good(KEY)["backends"]]


class Platform(Protocol):
    @property
    def cluster(self) -> Cluster: ...

    @property
    def router(self) -> Router: ...

    async def observe(self) -> Observed: ...

    async def tick(self) -> Observed:
        """Let some time pass: one more pod becomes Ready, terminating pods are gone."""
        ...

    async def obey(self) -> None:
        """Let time pass until the router obeys the weights sent last."""
        ...

    def batch_limits(self) -> list[int]:
        """Return the largest batch that each pod's server is allowed to compute."""
        ...

    async def stop(self) -> None: ...


async def settled(platform: Platform) -> Observed:
    for _ in range(12):
        observed = await platform.tick()
    return observed


class OnKubernetes:
    """Kubernetes: an API server in memory, whose controllers act when a test lets time pass."""

    def __init__(self) -> None:
        self.api, self.xds = FakeApi(), XdsServer(heard_within_s=0.0)
        self.cluster = KubeCluster(
            api=self.api,
            owner=OWNER,
            workloads={TARGET.variant: workload(allocations=SIZES)},
            other_autoscalers=OtherAutoscalers(self.api, refresh_s=0.0),
        )
        self.router = EnvoyRouter(
            api=self.api,
            owner=OWNER,
            xds=self.xds,
            settings=Settings(),
            slo_s=SERVICE.slo_s,
            floors=SERVICE.floors,
        )

    async def observe(self) -> Observed:
        return await self.cluster.observe(0.0)

    async def tick(self) -> Observed:
        self._expect_gated_rollouts()
        self.api.settle()
        return await self.observe()

    def _expect_gated_rollouts(self) -> None:
        """
        Assert that the Deployment's strategy keeps all pods available. The controllers in memory do
        not follow it: they replace all pods at once.
        """
        for path, made in self.api.objects.items():
            if path.endswith(f"/deployments/{OWNER.name}-{TARGET.variant}"):
                assert made["spec"]["strategy"]["rollingUpdate"]["maxUnavailable"] == 0

    async def obey(self) -> None:
        await poll(self.xds)

    def batch_limits(self) -> list[int]:
        """Read the annotation from which pod templates take it."""
        pods = (made for path, made in self.api.objects.items() if "/pods/" in path)
        return [int(pod["metadata"]["annotations"][BATCH_ANNOTATION]) for pod in pods]

    async def floors(self) -> list[float]:
        await self.router.ensure()
        return asked(self.xds)

    async def stop(self) -> None:
        await self.xds.stop()


class Handle:
    """The handle of a process that does not exist."""

    pid = 2**22 + 1  # beyond the largest that the kernel assigns

    def __init__(self) -> None:
        self.returncode: int | None = None
        self.ended = asyncio.Event()

    async def wait(self) -> int:
        await self.ended.wait()
        return self.returncode or 0

    def end(self) -> None:
        self.returncode = 0
        self.ended.set()


class Process(Child):
    """A simulated server process, whose loading and draining the platform's `tick` ends."""

    def __init__(self, name: str, port: int, batch: int = 1) -> None:
        self.handle, self.port, self.batch = Handle(), port, batch
        self.loaded = self.told_to_stop = False
        super().__init__(self.handle, name, Path("log"), UNLIMITED)

    def set_quota(self, millicores: int) -> None:
        pass

    def _signal(self, number: int) -> None:
        self.told_to_stop = True
        if number == signal.SIGKILL:
            self.handle.end()


class OnThisMachine:
    def __init__(self) -> None:
        self.processes: list[Process] = []
        session: Any = SimpleNamespace(get=self._get)
        self.cluster = LocalCluster(LocalPods(self._start, self._command, session))
        self.xds = XdsServer()
        self.router = LocalRouter(KEY, self.xds, Process("envoy", 0), [1, 2], SERVICE.floors)

    async def observe(self) -> Observed:
        return await self.cluster.observe(0.0)

    async def tick(self) -> Observed:
        for process in self.processes:
            if process.told_to_stop:
                process.handle.end()
        waiting = [p for p in self.processes if p.running and not p.loaded]
        if waiting:
            waiting[0].loaded = True
        return await self.observe()

    async def obey(self) -> None:
        """Poll like its Envoy, which confirms the configuration received last."""
        await poll(self.xds)

    async def stop(self) -> None:
        await self.xds.stop()
        await self.cluster.pods.stop()

    def batch_limits(self) -> list[int]:
        return [process.batch for process in self.processes if process.running]

    async def floors(self) -> list[float]:
        return asked(self.xds)

    def _command(self, target: Target, size: PodSize, port: int) -> list[str]:
        return server_command(SERVICE, lambda variant: [])(target, size, port)

    async def _start(self, name: str, command: list[str], millicores: int) -> Child:
        told = dict(zip(command[1::2], command[2::2], strict=True))
        process = Process(name, int(told["--port"]), int(told["--max-batch"]))
        self.processes.append(process)
        return process

    @asynccontextmanager
    async def _get(self, url: str) -> AsyncIterator[SimpleNamespace]:
        port = int(url.split(":")[2].split("/")[0])
        loaded = any(p.port == port and p.loaded and p.running for p in self.processes)
        yield SimpleNamespace(status=200 if loaded else 503)


class Simulated:
    def __init__(self) -> None:
        speeds = {(VARIANT.name, size.size): PodSpeed(1, 1 / size.capacity_rps) for size in SIZES}
        scenario = Scenario(variants=(VARIANT,), speeds=speeds, min_ready_s=0.0)
        self.world = world_of_requests(scenario, np.empty(0), flat_history(10.0), 1, 0)
        self.cluster, self.router = SimulatedCluster(self.world), SimulatedRouter(self.world)
        self._pass(0.1)  # at time 0 the router would obey at once

    async def observe(self) -> Observed:
        return await self.cluster.observe(self.world.now_s)

    async def tick(self) -> Observed:
        self._pass(0.5)
        return await self.observe()

    async def obey(self) -> None:
        self._pass(self.world.scenario.weights_lag_s)

    def batch_limits(self) -> list[int]:
        return [pod.size.batch_size for pod in self.world.pods]

    async def stop(self) -> None:
        pass

    def _pass(self, seconds: float) -> None:
        self.world.advance(self.world.now_s + seconds)


PLATFORMS: Mapping[str, type[OnKubernetes] | type[OnThisMachine] | type[Simulated]] = {
    "kubernetes": OnKubernetes,
    "local": OnThisMachine,
    "simulated": Simulated,
}


def at_one_time(observed: Observed) -> Observed:
    """Return it with the pods sorted by name, since platforms report them in different orders."""
    return replace(observed, pods=tuple(sorted(observed.pods, key=lambda pod: pod.name)))
