"""The executors of a driver, one lane each: start, stop, and summaries over all."""

import asyncio
from collections.abc import Callable, Iterator, Sequence
from functools import partial

from infadapter_server.executors.messages import Report, UseThreads
from infadapter_server.executors.port import Executor
from infadapter_server.serving.lanes import Lane

__all__ = ["LOAD_S", "Crew"]

LOAD_S = 0.5
"""Seconds that a running load gets when the server ends, since no request waits for it."""


class Crew:
    def __init__(self, executors: Sequence[Executor]) -> None:
        self._lanes = {executor.name: Lane(executor) for executor in executors}
        self._started = self.stopping = False
        self.hung = False  # an execution had not ended when all were stopped

    def __iter__(self) -> Iterator[Lane]:
        return iter(self._lanes.values())

    def __getitem__(self, name: str) -> Lane:
        return self._lanes[name]

    def start(self, threads: int, reported: Callable[[Lane, Report], None]) -> None:
        """
        Start the executors. `reported` is called on the running event loop, whichever thread
        reports.
        """
        loop, self._started = asyncio.get_running_loop(), True

        def tell(lane: Lane, report: Report) -> None:
            if not loop.is_closed():
                loop.call_soon_threadsafe(reported, lane, report)

        for lane in self:
            lane.executor.start(partial(tell, lane))
            lane.executor.submit(UseThreads(threads))

    async def stop(self, within_s: float, now_s: float) -> bool:
        """
        Stop the executors and return whether all came back.

        A running execution gets the time until it is suspect, even if `within_s` is shorter, since
        on a busy machine it may take seconds. A load gets LOAD_S.
        """
        self.stopping = True
        return all(await asyncio.gather(*(self._stop(lane, within_s, now_s) for lane in self)))

    async def _stop(self, lane: Lane, within_s: float, now_s: float) -> bool:
        executes = lane.executes
        if executes:
            within_s = max(within_s, lane.suspect_s - now_s)
        elif lane.loading is not None:
            within_s = min(within_s, LOAD_S)
        joined = await asyncio.to_thread(lane.executor.stop, within_s)
        self.hung |= executes and not joined
        return joined

    def use_threads(self, threads: int) -> None:
        for lane in self if self._started else ():
            lane.executor.submit(UseThreads(threads))

    @property
    def available(self) -> bool:
        """Whether the scheduler counts on at least one executor."""
        return any(lane.joined for lane in self)

    @property
    def all_lost(self) -> bool:
        """Whether all executors are lost for good without having been stopped."""
        gone = (not lane.present and not lane.executor.returns for lane in self)
        return not self.stopping and all(gone)

    @property
    def working(self) -> int:
        """Number of executors that the scheduler counts on."""
        return sum(lane.joined for lane in self)

    def hopeless(self, now_s: float) -> bool:
        """Whether an executor hangs and only a new process can help."""
        return any(lane.stuck(now_s) and not lane.executor.returns for lane in self)

    def stuck(self, now_s: float) -> int:
        """Number of executors that have not come back from an execution or a load."""
        return sum(lane.stuck(now_s) for lane in self)

    def with_model(self, model: str) -> Lane | None:
        """Return an executor that has the model's weights and can compute, or None."""
        return next((lane for lane in self if lane.joined and model in lane.loaded), None)

    def resident(self) -> tuple[int, int]:
        """Return the number of models in memory and their bytes, over all executors."""
        held = [size for lane in self for size in lane.loaded.values()]
        return len(held), sum(held)
