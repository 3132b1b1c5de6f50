"""
The child process of an executor: the same loop, with tensors in shared memory.

It reads orders in a thread of its own, and so ends with its parent, whose death closes the pipe.
(PR_SET_PDEATHSIG would already fire when the *thread* that started the child ends.)
"""

import logging
import os
import signal
import threading
from collections.abc import Callable
from dataclasses import dataclass, replace
from multiprocessing.connection import Connection
from multiprocessing.reduction import recv_handle
from pathlib import Path

from infadapter_server.ending import end_at_once
from infadapter_server.executors.messages import (
    ExecutorReady,
    Infer,
    Inferred,
    LoadModel,
    Outcome,
    Report,
    UnloadModel,
    UseThreads,
)
from infadapter_server.executors.opening import Loaded, Opener
from infadapter_server.executors.priority import give_way
from infadapter_server.executors.runner import Runner
from infadapter_server.executors.slots import Slots
from infadapter_server.logs import log_to_stderr
from infadapter_server.networks.stored import Stored

ORPHANED = 3
"""Exit code of a child whose parent has gone."""

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Placed:
    """An Infer whose inputs are in a slot, where its outputs are expected."""

    run: int
    model: str
    slot: int
    shape: tuple[int, ...]
    earliest_s: float
    latest_s: float
    point: str = ""


@dataclass(frozen=True, slots=True)
class Answered:
    """The end of a Placed; if it is done, outputs of this shape are in its slot."""

    report: Inferred
    slot: int
    shape: tuple[int, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Birth:
    """What a child is told at its start. `cpus` are the cores that it may use."""

    name: str
    prepare: Callable[[], Opener]
    slots: int
    slot_bytes: int
    threads: int
    cpus: frozenset[int] | None


def main(connection: Connection, birth: Birth) -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is for all of a terminal's processes
    signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGINT})
    _be_known_as(birth.name)
    if birth.cpus is not None:
        os.sched_setaffinity(0, birth.cpus)
    # torch makes as many threads as there are cores when it is imported, whatever the quota.
    os.environ["OMP_NUM_THREADS"] = "1"
    log_to_stderr()
    handle = recv_handle(connection)
    slots = Slots(handle, birth.slots, birth.slot_bytes)
    os.close(handle)
    _Child(connection, slots, birth).run()
    end_at_once(0)  # what there was to tell is told


class _Child:
    def __init__(self, connection: Connection, slots: Slots, birth: Birth) -> None:
        self._connection, self._slots = connection, slots
        self._prepare = birth.prepare
        self._placed: dict[int, int] = {}
        self._runner = Runner(self._open, self._tell, threads=birth.threads)
        threading.Thread(target=self._read, name="orders", daemon=True).start()

    def run(self) -> None:
        self._opener = self._prepare()  # for seconds, in which orders may come already
        self._connection.send(ExecutorReady(shared_load=self._runner.shared_load))
        give_way()
        self._runner.run()

    def _open(self, stored: Stored) -> Loaded:
        return self._opener(stored)

    def _read(self) -> None:
        try:
            while True:
                self._take(self._connection.recv())
        except (EOFError, OSError):
            os._exit(ORPHANED)  # whatever it computes: nobody waits for it
        except Exception:  # noqa: BLE001 - a process that hears nothing would be waited for
            _log.exception("An order can't be taken.")
            os._exit(1)

    def _take(self, order: Placed | LoadModel | UnloadModel | UseThreads | None) -> None:
        match order:
            case None:
                self._runner.end()
            case Placed():
                self._placed[order.run] = order.slot
                inputs = self._slots.view(order.slot, order.shape)
                window = (order.earliest_s, order.latest_s)
                self._runner.submit(Infer(order.run, order.model, (inputs,), *window, order.point))
            case _:
                self._runner.submit(order)

    def _tell(self, report: Report) -> None:
        if isinstance(report, Inferred):
            self._connection.send(self._answer(report))
        else:
            self._connection.send(report)

    def _answer(self, report: Inferred) -> Answered:
        slot, outputs = self._placed.pop(report.run), report.outputs
        if outputs is None:
            return Answered(report, slot)
        if not self._slots.fit(outputs.shape):
            error = f"The outputs are of the shape {list(outputs.shape)}: no slot is that large."
            failed = replace(report, outcome=Outcome.FAILED, outputs=None, error=error)
            return Answered(failed, slot)
        self._slots.view(slot, outputs.shape)[...] = outputs
        return Answered(replace(report, outputs=None), slot, outputs.shape)


def _be_known_as(name: str) -> None:
    """Set the process name for `ps` and `top`, which show fifteen letters."""
    comm = Path("/proc/self/comm")
    if comm.exists():
        comm.write_text(name[:15])
