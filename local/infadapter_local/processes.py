"""
Processes that end when we do: each in a session of its own, killed by the kernel if we die first.

The only module that starts any.
"""

import asyncio
import os
import signal
from asyncio.subprocess import DEVNULL, PIPE, Process
from collections.abc import Mapping
from pathlib import Path

from infadapter_local.cgroups import NO_GROUP, Cores, Group, Quotas, launch_command

_TICKS_PER_S = os.sysconf("SC_CLK_TCK")
_LINE_LIMIT_S = 60.0


class ProcessFailed(Exception):
    """A process ended, or did not say what it should; the sentence says where its log is."""


class Child:
    """A running process, its CPU limit and the CPU time it has used."""

    def __init__(self, process: Process, name: str, log: Path, group: Group | None) -> None:
        self.name = name
        self._process = process
        self._log = log
        self._group = group
        self._used_s = 0.0

    @property
    def pid(self) -> int:
        return self._process.pid

    @property
    def running(self) -> bool:
        return self._process.returncode is None

    @property
    def returncode(self) -> int | None:
        return self._process.returncode

    def set_quota(self, millicores: int) -> None:
        """Raises OSError, also where there is no quota."""
        if self._group is None:
            raise OSError("this machine permits no CPU quotas")
        self._group.set_quota(millicores)

    def cpu_seconds(self) -> float:
        """CPU time used so far, by all its threads."""
        try:
            fields = Path(f"/proc/{self.pid}/stat").read_text().rpartition(")")[2].split()
            self._used_s = (int(fields[11]) + int(fields[12])) / _TICKS_PER_S
        except (OSError, IndexError):
            pass  # it has ended: what it had used when last asked
        return self._used_s

    async def first_line(self) -> str:
        """Return the first line of its output. Raises ProcessFailed if it ends without one."""
        assert self._process.stdout is not None
        try:
            line = await asyncio.wait_for(self._process.stdout.readline(), _LINE_LIMIT_S)
        except TimeoutError:
            line = b""
        if not line:
            raise self.failure("said nothing")
        return line.decode(errors="replace").strip()

    def failure(self, what: str) -> ProcessFailed:
        return ProcessFailed(f"{self.name} {what}; its log is {self._log}.")

    def ask_to_end(self) -> None:
        self._signal(signal.SIGTERM)

    async def end(self, grace_s: float = 0.0) -> None:
        """Return when it has ended; it is killed if that takes longer than this."""
        if grace_s > 0 and self.running:
            self.ask_to_end()
            await self._wait(grace_s)
        self._signal(signal.SIGKILL)
        await self._process.wait()
        if self._group is not None:
            self._group.remove()

    async def wait(self) -> int:
        return await self._process.wait()

    async def _wait(self, limit_s: float) -> None:
        try:
            await asyncio.wait_for(self._process.wait(), limit_s)
        except TimeoutError:
            return

    def _signal(self, number: int) -> None:
        if self.running:
            os.kill(self.pid, number)


class Processes:
    """All the processes of one run; leaving the context ends them."""

    def __init__(self, limits: Quotas | Cores, logs: Path) -> None:
        self.limits = limits
        self._logs = logs
        self._children: list[Child] = []

    async def __aenter__(self) -> "Processes":
        self._logs.mkdir(parents=True, exist_ok=True)
        return self

    async def __aexit__(self, *_: object) -> None:
        await asyncio.shield(self._end_all())

    async def start(
        self,
        name: str,
        command: list[str],
        *,
        millicores: int | None = None,
        environment: Mapping[str, str] | None = None,
    ) -> Child:
        """Start a command; `millicores` limits its CPU, or pins it to a core. Raises OSError."""
        group = None
        if millicores is not None and isinstance(self.limits, Quotas):
            group = self.limits.group(millicores)
        elif millicores is not None and isinstance(self.limits, Cores):
            command = ["taskset", "--cpu-list", str(self.limits.next_core()), *command]
        log = self._logs / f"{name}.log"
        with log.open("ab") as errors:
            process = await asyncio.create_subprocess_exec(
                *launch_command(command, str(group.folder) if group else NO_GROUP),
                stdin=DEVNULL,
                stdout=PIPE,
                stderr=errors,
                env={**os.environ, **(environment or {})},
            )
        child = Child(process, name, log, group)
        self._children.append(child)
        return child

    async def _end_all(self) -> None:
        await asyncio.gather(*(child.end() for child in self._children))
        if isinstance(self.limits, Quotas):
            self.limits.remove_all()
