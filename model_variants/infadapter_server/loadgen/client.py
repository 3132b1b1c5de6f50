"""The open loop: sends requests when they are due, and says what became of each.

The arrival times come first, and the answers change nothing about them: that is how independent
users behave, and the only way in which a queue shows. It is bounded in rate by one core (about
8,000 requests a second on time), in memory by the number of requests, and in time by the schedule.
"""

import asyncio
import gc
import os
import time
from collections import deque
from collections.abc import Callable, Coroutine, Mapping, Sequence
from contextlib import suppress
from typing import TypeVar

import numpy as np

from infadapter_server.loadgen.alarms import make_alarm
from infadapter_server.loadgen.calls import Call, outcome_of, prepare
from infadapter_server.loadgen.connections import Pool
from infadapter_workload.outcomes import STOPPED, TIMED_OUT, Outcome
from infadapter_workload.trace import Array

CONNECTIONS = 512  # below the usual limit of 1,024 open files
PRIORITY = 1  # the lowest of the real-time ones
LEAD_S = 0.05  # between preparing a run and its second 0

T = TypeVar("T")


def run(main: Coroutine[object, object, T]) -> T:
    """Run as asyncio.run does, on uvloop where it is installed."""
    try:
        import uvloop
    except ImportError:
        return asyncio.run(main)
    return uvloop.run(main)


def make_timely() -> None:
    """Let neither a garbage collection nor, where permitted, the servers under test delay us.

    With the servers on the same cores and a normal priority, the 99th percentile of the sending
    error was 2 to 4 ms; with a real-time one, 0.2 ms. It takes a privilege (root, CAP_SYS_NICE);
    the kernel keeps 5 % of a core for others whatever happens.

    For a process that does nothing but one bounded run: it lasts until the process ends.
    """
    gc.freeze()
    gc.disable()
    with suppress(OSError, AttributeError):  # not permitted, or not Linux
        policy = os.SCHED_RR | os.SCHED_RESET_ON_FORK
        os.sched_setscheduler(0, policy, os.sched_param(PRIORITY))


async def replay(
    *,
    host: str,
    port: int,
    path: str,
    bodies: Sequence[bytes],
    arrivals_s: Array,
    timeout_s: float,
    on_outcome: Callable[[Outcome], None] | None = None,
    headers: Mapping[str, str] | None = None,
    connections: int = CONNECTIONS,
    start_s: float | None = None,
    max_backlog: int | None = None,
) -> list[Outcome]:
    """POST one body after the other, in turn, at the given seconds from the start.

    It ends when the last request is answered or given up, `timeout_s` after it was due.

    Args:
        path: of the URL, such as /v2/models/NAME/infer.
        arrivals_s: sorted, from 0 on.
        on_outcome: called in the event loop, as the outcomes come; must be quick. What it raises
            ends the run, and is raised here.
        start_s: second 0 as a moment of `time.monotonic`; by default, almost now.
        max_backlog: give up the rest of the run when more requests than this are unanswered: the
            server is overloaded, and the queue would only grow.

    Returns:
        One outcome for each request that was due, in order of their schedule.
    """
    if len(arrivals_s) and (arrivals_s[0] < 0 or np.any(np.diff(arrivals_s) < 0)):
        raise ValueError("The arrival times must be sorted and not below 0.")
    requests = prepare(host=host, port=port, path=path, bodies=bodies, headers=headers or {})
    pool = Pool(host=host, port=port, limit=connections, connect_timeout_s=timeout_s)
    start_s = time.monotonic() + LEAD_S if start_s is None else start_s
    schedule = _Schedule(pool, requests, arrivals_s, start_s, timeout_s, max_backlog, on_outcome)
    try:
        await schedule.finished()
    finally:
        schedule.close()
        await pool.close()
    return sorted(schedule.outcomes, key=lambda outcome: outcome.scheduled_s)


class _Schedule:
    """One run of the open loop."""

    def __init__(
        self,
        pool: Pool,
        requests: Sequence[bytes],
        arrivals_s: Array,
        start_s: float,
        timeout_s: float,
        max_backlog: int | None,
        on_outcome: Callable[[Outcome], None] | None,
    ) -> None:
        self.outcomes: list[Outcome] = []
        self._pool = pool
        self._requests = requests
        self._due_s: list[float] = (arrivals_s + start_s).tolist()
        self._start_s = start_s
        self._timeout_s = timeout_s
        self._max_backlog = len(self._due_s) if max_backlog is None else max_backlog
        self._on_outcome = on_outcome
        self._next = 0
        self._under_way: deque[Call] = deque()  # by schedule; the answered ones leave at the head
        self._loop = asyncio.get_running_loop()
        self._ended: asyncio.Future[None] = self._loop.create_future()
        self._watch: asyncio.TimerHandle | None = None
        self._alarm = make_alarm(self._send_due)

    async def finished(self) -> None:
        if not self._due_s:
            return
        self._alarm.ring_at(self._due_s[0])
        await self._ended

    def close(self) -> None:
        self._alarm.close()
        if self._watch is not None:
            self._watch.cancel()

    def _send_due(self) -> None:
        now_s = time.monotonic()
        while self._next < len(self._due_s) and self._due_s[self._next] <= now_s:
            self._send(self._due_s[self._next], now_s)
            now_s = time.monotonic()
        if self._next < len(self._due_s):
            self._alarm.ring_at(self._due_s[self._next])

    def _send(self, due_s: float, now_s: float) -> None:
        request = self._requests[self._next % len(self._requests)]
        call = Call(request=request, scheduled_s=due_s, sent_s=now_s, on_done=self._done)
        self._next += 1
        self._under_way.append(call)
        if self._watch is None:
            self._watch_head()
        self._pool.send(call)
        if self._next - len(self.outcomes) > self._max_backlog:
            self._stop()

    def _done(self, call: Call) -> None:
        outcome = outcome_of(call, self._start_s)
        self.outcomes.append(outcome)
        if self._ended.done():
            return
        try:
            if self._on_outcome is not None:
                self._on_outcome(outcome)
        except Exception as error:  # noqa: BLE001 - else the loop would log it, and all wait on
            self._ended.set_exception(error)
            return
        if len(self.outcomes) == len(self._due_s):
            self._ended.set_result(None)

    def _watch_head(self) -> None:
        """Give up what is too old. All have one timeout, so one timer, for the oldest, will do."""
        oldest_s = time.monotonic() - self._timeout_s
        while self._under_way:
            call = self._under_way[0]
            if call.done_s is None and call.scheduled_s > oldest_s:
                delay_s = call.scheduled_s - oldest_s
                self._watch = self._loop.call_later(delay_s, self._watch_head)
                return
            self._under_way.popleft()
            if call.done_s is None:
                self._pool.give_up(call, TIMED_OUT)
        self._watch = None

    def _stop(self) -> None:
        del self._due_s[self._next :]
        for call in tuple(self._under_way):
            if call.done_s is None:
                self._pool.give_up(call, STOPPED)
