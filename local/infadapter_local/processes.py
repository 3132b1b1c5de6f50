"""
Processes that end when this one does: each in its own session, killed by the kernel if this one
dies first. No other module starts processes.
"""

import asyncio
import os
import signal
from asyncio.subprocess import DEVNULL, PIPE, Process
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from infadapter_local.cgroups import Cores, Quotas, launch_command
from infadapter_local.groups import Group
from infadapter_local.launch import NO_GROUP
from infadapter_server.interpreter import module_command

_TICKS_PER_S = os.sysconf("SC_CLK_TCK")


class ProcessFailed(Exception):
    """A process exited or failed; the message names its log."""


class Handle(Protocol):
    """A process that another process started for us."""

    @property
    def pid(self) -> int: ...

    @property
    def returncode(self) -> int | None: ...

    async def wait(self) -> int: ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Limit:
    """The CPU limit of one process: a group with a quota, a core, or neither."""

    group: Group | None = None
    core: int | None = None

    @property
    def folder(self) -> str:
        return NO_GROUP if self.group is None else str(self.group.folder)


UNLIMITED = Limit()


class Child:
    """A running process, its CPU limit and the CPU time it has used."""

    def __init__(self, handle: Handle, name: str, log: Path, limit: Limit) -> None:
        self.name = name
        self.limit = limit
        self.pid = handle.pid
        self._handle = handle
        self._log = log
        self._used_s = 0.0

    @property
    def running(self) -> bool:
        return self._handle.returncode is None

    @property
    def returncode(self) -> int | None:
        return self._handle.returncode

    def set_quota(self, millicores: int) -> None:
        """Set the quota. Raises OSError, also if there are no quotas."""
        if self.limit.group is None:
            raise OSError("this machine permits no CPU quotas")
        self.limit.group.set_quota(millicores)

    def cpu_seconds(self) -> float:
        """CPU time used by all its threads; after its exit, as of the last call."""
        with suppress(OSError, IndexError):
            fields = Path(f"/proc/{self.pid}/stat").read_text().rpartition(")")[2].split()
            if self.running:
                self._used_s = (int(fields[11]) + int(fields[12])) / _TICKS_PER_S
        return self._used_s

    def failure(self, what: str) -> ProcessFailed:
        return ProcessFailed(f"{self.name} {what}; its log is {self._log}.")

    async def end(self, grace_s: float = 0.0) -> None:
        """Wait for its exit; kill it after `grace_s`."""
        if grace_s > 0:
            self._signal(signal.SIGTERM)
            with suppress(TimeoutError):
                await asyncio.wait_for(asyncio.shield(self._handle.wait()), grace_s)
        self._signal(signal.SIGKILL)
        await self._handle.wait()
        if self.limit.group is not None:
            self.limit.group.remove()

    def _signal(self, number: int) -> None:
        if self.running:
            with suppress(ProcessLookupError):
                os.kill(self.pid, number)


class Processes:
    """The processes of one run; leaving the context ends them."""

    def __init__(self, limits: Quotas | Cores, logs: Path) -> None:
        self.limits = limits
        self.logs = logs
        self._children: list[Child] = []

    async def __aenter__(self) -> "Processes":
        self.logs.mkdir(parents=True, exist_ok=True)
        return self

    async def __aexit__(self, *_: object) -> None:
        await asyncio.shield(self._end_all())

    async def start(self, name: str, command: list[str], millicores: int | None = None) -> Child:
        """Start a command; `millicores` limits its CPU, or pins it to a core. Raises OSError."""
        limit = self.limit(millicores)
        log = self.log(name)
        with log.open("ab") as output:
            handle = await asyncio.create_subprocess_exec(
                *launch_command(command, limit.folder, limit.core),
                stdin=DEVNULL,
                stdout=output,
                stderr=output,
            )
        return self.adopt(Child(handle, name, log, limit))

    async def talk(self, name: str, module: str) -> tuple[Child, Process]:
        """Start a Python module that exchanges messages on its input and output."""
        with self.log(name).open("ab") as errors:
            handle = await asyncio.create_subprocess_exec(
                *launch_command(module_command(module)),
                stdin=PIPE,
                stdout=PIPE,
                stderr=errors,
            )
        return self.adopt(Child(handle, name, self.log(name), UNLIMITED)), handle

    def limit(self, millicores: int | None) -> Limit:
        """Return the limit for a process of this size, if limits apply. Raises OSError."""
        if millicores is None:
            return UNLIMITED
        if isinstance(self.limits, Quotas):
            return Limit(group=self.limits.group(millicores))
        running = (child.limit.core for child in self._children if child.running)
        return Limit(core=self.limits.least_used(running))

    def log(self, name: str) -> Path:
        return self.logs / f"{name}.log"

    def adopt(self, child: Child) -> Child:
        """Make the process end with the others."""
        self._children.append(child)
        return child

    async def _end_all(self) -> None:
        await asyncio.gather(*(child.end() for child in self._children))
        if isinstance(self.limits, Quotas):
            self.limits.remove_all()
