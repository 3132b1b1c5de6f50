"""
An executor in a child process, which has an interpreter of its own and can fail alone.

A child that is killed, for its memory or by a fault in native code, loses its running batch and
nothing else: it is reported as lost and can be started again.
"""

import os
import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import replace
from multiprocessing import get_context
from multiprocessing.context import SpawnProcess
from multiprocessing.reduction import send_handle

from infadapter_server.executors import child
from infadapter_server.executors.child import Birth
from infadapter_server.executors.handover import Handover
from infadapter_server.executors.messages import (
    ExecutorLost,
    ExecutorReady,
    Order,
    Outcome,
    Report,
    UseThreads,
)
from infadapter_server.executors.opening import Opener
from infadapter_server.executors.port import Tell
from infadapter_server.executors.refused import refused
from infadapter_server.executors.slots import Slots, new_memory
from infadapter_server.surroundings import complete_surroundings

SLOTS = 4
"""One running batch, one or two sent ahead, one being answered."""

_GRACE_S = 0.5  # from SIGTERM to SIGKILL


class ProcessExecutor:
    """The executor. `prepare` is called in the child and must be importable there."""

    returns = False

    def __init__(
        self,
        name: str,
        prepare: Callable[[], Opener],
        *,
        slot_bytes: int,
        slots: int = SLOTS,
        threads: int = 1,
        cpus: frozenset[int] | None = None,
    ) -> None:
        self.name = name
        self.birth = Birth(
            name=name,
            prepare=prepare,
            slots=slots,
            slot_bytes=slot_bytes,
            threads=threads,
            cpus=cpus,
        )
        self._life: _Life | None = None
        self._tell: Tell | None = None

    @property
    def pid(self) -> int | None:
        return self._life.process.pid if self._life else None

    def start(self, tell: Tell) -> None:
        self._tell = tell
        self._life = _Life(self.birth, tell)
        self._life.begin()

    def submit(self, order: Order) -> None:
        if isinstance(order, UseThreads):
            self.birth = replace(self.birth, threads=order.threads)  # also of the next child
        if self._life is not None:
            self._life.handover.submit(order)
        elif self._tell is not None:
            report = refused(order, f"{self.name} is not started.", Outcome.LOST)
            if report is not None:
                self._tell(report)

    def stop(self, within_s: float) -> bool:
        return self._life is None or self._life.stop(within_s)

    def abandon(self) -> None:
        if self._life is not None:
            self._life.process.kill()


class _Life:
    """One child, from its start to its end, which is always reported."""

    def __init__(self, birth: Birth, tell: Tell) -> None:
        self._name, self._tell = birth.name, tell
        self._ready = self._stopped = False
        memory = new_memory(birth.slots, birth.slot_bytes)
        spawn = get_context("spawn")  # never fork: torch's threads would be missing in the child
        ours, theirs = spawn.Pipe()
        self.process: SpawnProcess = spawn.Process(
            target=child.main, args=(theirs, birth), name=birth.name, daemon=True
        )
        try:
            slots = Slots(memory, birth.slots, birth.slot_bytes)
            complete_surroundings()  # of those the folder may have been removed meanwhile
            with _deaf_to_ctrl_c():
                self.process.start()
            with suppress(OSError):  # it has ended already, which its pipe tells as well
                send_handle(ours, memory, self.process.pid)
        finally:
            theirs.close()
            os.close(memory)
        self.handover = Handover(birth.name, ours, slots, self._heard)
        self._reader = threading.Thread(
            target=self._read, name=f"{birth.name} reports", daemon=True
        )

    def begin(self) -> None:
        """Report that it is ready; from then on orders may be submitted."""
        self._reader.start()

    def stop(self, within_s: float) -> bool:
        self._stopped = True
        self.handover.close()
        if not self._ready:  # it imports, for seconds, and does nothing for anybody
            self.process.kill()
        self._reader.join(within_s if self._ready else None)
        if not self._reader.is_alive():
            return True
        self.process.terminate()
        self._reader.join(_GRACE_S)
        self.process.kill()
        self._reader.join()
        return False

    def _heard(self, report: Report) -> None:
        self._ready = self._ready or isinstance(report, ExecutorReady)
        self._tell(report)

    def _read(self) -> None:
        self.handover.read()
        while self.process.exitcode is None:  # it has closed the pipe, which only its end does
            self.process.join(0.01)
        self.process.join()  # at once; else one that ended quickly keeps its pipes till the next
        self._tell(ExecutorLost(self._reason(self.process.exitcode)))

    def _reason(self, code: int) -> str:
        if self._stopped:
            return f"{self._name} was stopped."
        if code < 0:
            return f"{self._name} was killed by {signal.Signals(-code).name}."
        return f"{self._name} has ended by itself, with the exit code {code}."


@contextmanager
def _deaf_to_ctrl_c() -> Iterator[None]:
    """
    Block SIGINT for the child from its first moment, as it can't ignore signals while it imports.
    """
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)
