"""
Distribute simulations over processes.

Processes are forked from a server that has imported everything and never ran a thread. They ignore
Ctrl-C, and end when the process that started them ends, however it does.
"""

import gc
import multiprocessing
import os
import signal
from collections.abc import Callable, Generator, Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, ProcessPoolExecutor, wait
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from multiprocessing import resource_tracker
from threading import Thread, current_thread, main_thread

from infadapter_simulator.part import Part
from infadapter_simulator.scenario import Scenario
from infadapter_simulator.simulate import Workload

WORTH_PROCESSES_S = 5_000
"""Simulated seconds over all jobs below which starting processes takes longer than it saves."""

PRELOADED = ["infadapter_simulator.compare.compare", "infadapter_simulator.policies.ours"]

Tell = Callable[[int, int], None]
"""Called with the number of finished jobs and the total."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Job:
    """A function to run on a scenario and the workload of a seed."""

    scenario: int
    seed: int
    work: Callable[[Scenario, Workload, int], object]  # a function of a module, or a partial of one


@dataclass(slots=True, kw_only=True)
class Jobs:
    """All jobs; each process receives them once."""

    part: Part
    scenarios: tuple[Scenario, ...]
    jobs: tuple[Job, ...]
    workloads: dict[int, Workload] = field(default_factory=dict)  # by seed

    def do(self, at: int) -> object:
        job = self.jobs[at]
        if job.seed not in self.workloads:
            self.workloads.clear()  # one at a time: those of long traces are large
            self.workloads[job.seed] = self.part.workload(job.seed)
        return job.work(self.scenarios[job.scenario], self.workloads[job.seed], job.seed)


def do_all(work: Jobs, tell: Tell) -> list[object]:
    """
    Return the results in the order of the jobs. Raises what a job raises, and BrokenProcessPool.
    """
    total = len(work.jobs)
    processes = min(os.cpu_count() or 1, total)
    spread = processes > 1 and total * work.part.seconds > WORTH_PROCESSES_S
    found: dict[int, object] = {}
    with closing(_spread(work, processes) if spread else _in_turn(work)) as steps:
        for some in steps:
            found |= some
            tell(len(found), total)
    return [found[at] for at in range(total)]


def _in_turn(work: Jobs) -> Generator[dict[int, object], None, None]:
    for at in range(len(work.jobs)):
        yield {at: work.do(at)}


def _spread(work: Jobs, processes: int) -> Generator[dict[int, object], None, None]:
    """Yield finished jobs, at least once a second."""
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(PRELOADED)
    resource_tracker.ensure_running()  # before, as it ends by letting interrupts through
    with ProcessPoolExecutor(processes, context, _begin, (work,)) as pool, _ending_all():
        with _interrupts_later():
            waiting = {pool.submit(_do, at): at for at in range(len(work.jobs))}
        while waiting:
            done, _ = wait(waiting, timeout=1.0, return_when=FIRST_COMPLETED)
            yield {waiting.pop(future): future.result() for future in done}


@contextmanager
def _interrupts_later() -> Iterator[None]:
    """
    Defer Ctrl-C to the end, and start processes that never receive it: blocked signals stay blocked
    in them. Blocking alone does not suffice here, as other threads would receive the signal.
    """
    if current_thread() is not main_thread():
        yield
        return
    came: list[int] = []
    handler = signal.signal(signal.SIGINT, lambda number, _: came.append(number))
    blocked = signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGINT])
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, blocked)
        signal.signal(signal.SIGINT, handler)
    if came:
        raise KeyboardInterrupt


@contextmanager
def _ending_all() -> Iterator[None]:
    """On an error, end the processes that were started, even within a job."""
    before: Sequence[object] = multiprocessing.active_children()
    try:
        yield
    except BaseException:
        for process in multiprocessing.active_children():
            if process not in before:
                process.terminate()
        raise


_work: Jobs


def _begin(work: Jobs) -> None:
    global _work
    _work = work
    gc.freeze()  # what was imported stays, and is not looked through for garbage again and again
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    Thread(target=_end_with_parent, daemon=True).start()


def _end_with_parent() -> None:
    parent = multiprocessing.parent_process()
    if parent is not None:
        parent.join()
        os._exit(1)


def _do(at: int) -> object:
    return _work.do(at)
