"""The client of the fork server: requests servers and tracks when they exit."""

import asyncio
import json
import os
import signal
from asyncio.subprocess import Process
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from itertools import count

from infadapter_local.processes import Child, Processes, ProcessFailed

_READY_LIMIT_S = 120.0
_START_LIMIT_S = 10.0


class Forked:
    """A handle of a server forked by the fork server."""

    def __init__(self, pid: int) -> None:
        self.pid = pid
        self.ended: asyncio.Future[int] = asyncio.get_running_loop().create_future()

    @property
    def returncode(self) -> int | None:
        return self.ended.result() if self.ended.done() else None

    async def wait(self) -> int:
        return await asyncio.shield(self.ended)


class ForkClient:
    """Starts servers in tenths of a second through the fork server."""

    def __init__(self, processes: Processes, child: Child, process: Process) -> None:
        self._processes = processes
        self._child = child
        self._process = process
        self._servers: dict[int, Forked] = {}
        self._orders: dict[int, asyncio.Future[Forked]] = {}  # not yet answered
        self._numbers = count(1)
        self._ready = asyncio.Event()

    async def start(self, name: str, command: list[str], millicores: int | None = None) -> Child:
        """Start a server as `Processes.start` does; `command` is that of infadapter-server."""
        limit = self._processes.limit(millicores)
        log = self._processes.log(name)
        order: dict[str, object] = {
            "command": command,
            "group": limit.folder,
            "core": limit.core,
            "log": str(log),
        }
        forked = await self._fork(order)
        return self._processes.adopt(Child(forked, name, log, limit))

    async def ready(self) -> None:
        """Wait until torch is imported. Raises ProcessFailed."""
        ready = asyncio.create_task(self._ready.wait())
        ended = asyncio.create_task(self._process.wait())
        await asyncio.wait({ready, ended}, timeout=_READY_LIMIT_S, return_when="FIRST_COMPLETED")
        for task in (ready, ended):
            task.cancel()
        if not self._ready.is_set():
            raise self._child.failure("could not import the model server")

    async def listen(self) -> None:
        """Process the fork server's messages until it exits, which ends its servers too."""
        assert self._process.stdout is not None
        while line := (await self._process.stdout.readline()).decode():
            word, *rest = line.split()
            numbers = [int(number) for number in rest]
            if word == "ready":
                self._ready.set()
            elif word == "started":
                self._take_in(*numbers)
            elif word == "ended":
                self._servers.pop(numbers[0]).ended.set_result(numbers[1])
        for forked in self._servers.values():
            forked.ended.set_result(-9)

    async def _fork(self, order: dict[str, object]) -> Forked:
        number = next(self._numbers)
        answer = self._orders[number] = asyncio.get_running_loop().create_future()
        try:
            await self._send(order | {"number": number})
            return await asyncio.wait_for(answer, _START_LIMIT_S)
        except TimeoutError:
            raise OSError(str(self._child.failure("forks no servers"))) from None
        finally:
            del self._orders[number]

    def _take_in(self, number: int, pid: int) -> None:
        """
        Pass a server to the caller that requested it; if the caller was cancelled, end the server,
        since no one else would.
        """
        forked = self._servers[pid] = Forked(pid)
        answer = self._orders.get(number)
        if answer is not None and not answer.done():
            answer.set_result(forked)
            return
        with suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)

    async def _send(self, order: dict[str, object]) -> None:
        assert self._process.stdin is not None
        try:
            self._process.stdin.write(json.dumps(order).encode() + b"\n")
            await self._process.stdin.drain()
        except ConnectionError as error:
            raise OSError(str(self._child.failure("has ended"))) from error


@asynccontextmanager
async def started_fork_client(processes: Processes) -> AsyncIterator[ForkClient]:
    """Yield a client of a fork server that is ready. Raises ProcessFailed."""
    child, process = await processes.talk("fork-server", "infadapter_local.fork_server")
    client = ForkClient(processes, child, process)
    listening = asyncio.create_task(client.listen())
    try:
        await client.ready()
        yield client
    finally:
        await child.end()
        with suppress(ProcessFailed):
            await listening
