"""Worker processes, as they would run in pods: started, killed, started again, and measured."""

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

COMMAND = (sys.executable, "-m", "infadapter_server.executors.remote", "--host", "127.0.0.1")


@dataclass(slots=True)
class WorkerProcess:
    name: str
    port: int = 0
    _peak_bytes: int = 0
    _process: subprocess.Popen[str] | None = None

    def start(self) -> None:
        """At the port that it had before, if it had one."""
        command = (*COMMAND, "--name", self.name, "--port", str(self.port), "--threads", "1")
        self._process = subprocess.Popen(
            command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True
        )
        assert self._process.stdout is not None
        self.port = int(self._process.stdout.readline().rpartition(":")[2])

    @property
    def peak_bytes(self) -> int:
        """Of its present process, or of the one before if that had more."""
        now = peak_bytes(self._process.pid) if self._process is not None else 0
        return max(now, self._peak_bytes)

    @property
    def address(self) -> str:
        return f"127.0.0.1:{self.port}"

    def end(self, number: signal.Signals = signal.SIGTERM) -> None:
        if self._process is not None:
            self._peak_bytes = self.peak_bytes
            self._process.send_signal(number)
            self._process.communicate()
            self._process = None


def peak_bytes(pid: int | str = "self") -> int:
    """The most physical memory that a process ever had, as the kernel counts (VmHWM)."""
    status = Path(f"/proc/{pid}/status").read_text()
    line = next(line for line in status.splitlines() if line.startswith("VmHWM:"))
    return int(line.split()[1]) * 1024


@contextmanager
def cluster(size: int) -> Iterator[list[WorkerProcess]]:
    workers = [WorkerProcess(f"worker-{number}") for number in range(size)]
    os.environ["OMP_NUM_THREADS"] = "1"
    try:
        for worker in workers:
            worker.start()
        yield workers
    finally:
        for worker in workers:
            worker.end()
