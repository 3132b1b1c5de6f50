"""
The executors of a server according to its command line: a thread, child processes, or workers.

A thread shares the interpreter with the front end. Child processes have one each; if there are more
cores than children, the front end has one core for itself. Workers are other pods.
"""

import os
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from math import inf
from pathlib import Path

from infadapter_server.executors.opening import Loaded, torch_opener
from infadapter_server.executors.port import Executor
from infadapter_server.executors.process import ProcessExecutor
from infadapter_server.executors.restarting import Restarting
from infadapter_server.executors.slots import slot_bytes_for
from infadapter_server.executors.thread import ThreadExecutor
from infadapter_server.networks.stored import Format, Stored
from infadapter_server.serving.config_keys import ConfigError
from infadapter_server.serving.driver import LAG_S
from infadapter_server.serving.quota import cpu_quota
from infadapter_server.serving.slowing import Speed

__all__ = ["Fleet"]

ADDRESS = re.compile(r"(\[[0-9A-Fa-f:.]+\]|[^\s:/\[\]]+):([0-9]{1,5})")
SLOT_BYTES = 64 * 2**20
"""
Smallest shared memory slot per message to a worker, as models may be added later. Unused memory is
not allocated.
"""

WORKERS_LAG_S = 0.003
"""
Delay of orders and reports over a network, s. The scheduler sends the next batch twice as early, so
that an executor never waits for the controller.
"""


@dataclass(frozen=True, slots=True)
class Fleet:
    """
    The executors. Without children and workers it is a thread, optionally `paced`. Raises
    ConfigError.
    """

    processes: int | None = None
    workers: tuple[str, ...] = ()
    tls: Path | None = None
    paced: bool = False

    def __post_init__(self) -> None:
        if self.processes is not None and self.workers:
            raise ConfigError(
                "--processes are executors of this pod and --worker is one of another: give one."
            )
        if self.tls is not None and not self.workers:
            raise ConfigError("--worker-tls is for connections to workers: give --worker too.")
        if self.paced and not self.is_thread:
            raise ConfigError("--paced is for what computes in this process: give no other.")
        for address in self.workers:
            _check(address)
        if len(set(self.workers)) < len(self.workers):
            raise ConfigError("A worker has one controller: give each --worker once.")

    def memory_each(self, memory: int | None, page_bytes: int) -> int | None:
        """
        Return the memory per executor: children share the pod's, each worker may use the given
        amount.
        """
        if memory is None or self.processes is None:
            return memory
        each = memory // self.processes
        if each < page_bytes:
            raise ConfigError(f"--memory leaves {each} bytes for each of --processes.")
        return each

    def threads(self, limit: int) -> int:
        """Return the threads of an executor under this quota; a worker follows its own."""
        if self.workers:
            return 1
        executors = self.processes or 1
        front = 1 if self.processes is not None and limit > executors else 0
        return max(1, (limit - front) // executors)

    def speed(self) -> Speed:
        """The share of a core that the quota leaves to each executor, if less than one."""
        return Speed(min(1.0, self.quota() / (self.processes or 1)))

    def quota(self) -> float:
        """
        The quota, in cores, of everything that answers and computes here; infinite without one.
        """
        return inf if self.workers else cpu_quota() or inf

    @property
    def is_thread(self) -> bool:
        """Whether the executor runs in the answering process."""
        return self.processes is None and not self.workers

    @property
    def lag_s(self) -> float:
        return WORKERS_LAG_S if self.workers else LAG_S

    def executors(self, models: Iterable[Stored]) -> Sequence[Executor]:
        if self.workers:
            return self._remote()
        if self.processes is None:
            return [ThreadExecutor("executor", _open)]
        slot_bytes, cpus = _slot_bytes(models), _beside_the_front(self.processes)
        return [
            Restarting(
                ProcessExecutor(
                    f"executor-{number}", torch_opener, slot_bytes=slot_bytes, cpus=cpus
                )
            )
            for number in range(self.processes)
        ]

    def _remote(self) -> Sequence[Executor]:
        # Who has no workers, needs no grpcio.
        from infadapter_server.executors.remote.executor import RemoteExecutor
        from infadapter_server.executors.remote.tls import read_tls

        try:
            tls = None if self.tls is None else read_tls(self.tls)
        except OSError as error:
            raise ConfigError(f"--worker-tls: {error.filename}: {error.strerror}.") from None
        return [
            RemoteExecutor(f"worker-{number}", address, tls=tls)
            for number, address in enumerate(self.workers)
        ]


def _check(address: str) -> None:
    match = ADDRESS.fullmatch(address)
    if match is None or not 0 < int(match[2]) < 2**16:
        raise ConfigError(f"--worker {address[:80]!r} is not HOST:PORT, such as worker-0:9090.")


def _slot_bytes(models: Iterable[Stored]) -> int:
    known = tuple(models)
    return max(SLOT_BYTES, slot_bytes_for(known)) if known else SLOT_BYTES


def _beside_the_front(processes: int) -> frozenset[int] | None:
    """Return the cores for children; None if none can be spared for the front end."""
    cores = sorted(os.sched_getaffinity(0))
    return frozenset(cores[1:]) if len(cores) > processes else None


def _open(stored: Stored) -> Loaded:
    # Here, in the executor's thread: importing torch takes seconds, and the HTTP side answers.
    if stored.format is Format.ONNX:
        from infadapter_server.networks.onnx_programs import open_onnx

        return open_onnx(stored)  # which needs no torch, nor its 200 MB
    return torch_opener()(stored)
