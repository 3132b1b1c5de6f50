"""
The driver: the front ends' interface to everything that computes. It returns a ticket or refuses.

The scheduler decides. The driver adds what the scheduler cannot know: images of one request belong
together, clients wait and leave, and deadlines count from arrival.
"""

import asyncio
import time
from collections.abc import Callable, Sequence
from itertools import count
from math import inf

from infadapter_scheduler.events import Arrived, Gone, SpeedChanged
from infadapter_scheduler.points import Point, PointPolicy
from infadapter_scheduler.points.keeping_up import KeepingUp
from infadapter_server.executors.port import Executor
from infadapter_server.networks.signatures import Floats, LoadError
from infadapter_server.serving.conductor import Conductor, Observer
from infadapter_server.serving.floors import check_floor
from infadapter_server.serving.metrics import ServerMetrics
from infadapter_server.serving.pacing import Pacing
from infadapter_server.serving.refusal import Cause, Unserved
from infadapter_server.serving.repository import Repository
from infadapter_server.serving.residence import Residence
from infadapter_server.serving.slowing import FULL_SPEED, Speed
from infadapter_server.serving.tickets import Ticket

__all__ = ["Driver"]

LAG_S = 0.001
"""Delay of orders and reports between threads, s."""


class Driver:
    """
    Runs the scheduler. `failure` says why no model could be loaded. `speed` is what the quota
    leaves to executions: the warm-up is measured at full speed, later executions are not.
    """

    def __init__(
        self,
        repository: Repository,
        executors: Sequence[Executor],
        metrics: ServerMetrics,
        *,
        lag_s: float = LAG_S,
        clock: Callable[[], float] = time.monotonic,
        policy: PointPolicy | None = None,
        pacing: Pacing | None = None,
    ) -> None:
        self.threads, self.speed = 1, FULL_SPEED
        self._conductor = Conductor(
            repository,
            executors,
            metrics,
            lag_s,
            clock,
            policy or KeepingUp(),
            pacing or Pacing(lambda: inf),
        )
        self._orders = self._conductor.orders
        self._metrics, self._clock = metrics, clock
        self._numbers = count(1)

    # --- its life ----------------------------------------------------------------------------

    def start(self) -> None:
        """Start loading; `loaded` is set when that is done."""
        self._loop = asyncio.get_running_loop()
        self._metrics.threads.set(self.threads)
        self._orders.speed = self.speed
        self._conductor.start(self.threads)
        self._watching = self._loop.create_task(self._conductor.watch.run())

    def observe(self, observer: Observer) -> None:
        """Notify the observer of requests and executions."""
        self._conductor.observer = observer

    async def ended(self) -> None:
        """Wait until no executor is left, which is a fault."""
        await self._conductor.membership.ended.wait()

    async def stop(self, within_s: float) -> bool:
        """Stop the executors; False if one did not come back."""
        self._watching.cancel()
        self._orders.alarm.cancel()
        return await self._conductor.crew.stop(within_s, self._clock())

    @property
    def hung(self) -> bool:
        """Whether an execution had not ended when the executors were stopped."""
        return self._conductor.crew.hung

    def use_threads(self, threads: int) -> None:
        self.threads = threads
        self._metrics.threads.set(threads)
        self._conductor.crew.use_threads(threads)

    def use_speed(self, speed: Speed) -> None:
        """Rescale estimates after a change of the quota or of the work beside executions."""
        before, self.speed = self.speed, speed
        self._orders.speed = speed
        if self.loaded:
            factor = before.share / speed.share
            self._orders.told(SpeedChanged(factor, speed.each_s - factor * before.each_s))

    @property
    def failure(self) -> LoadError | None:
        return self._conductor.membership.failure

    @property
    def residence(self) -> Residence:
        return self._orders.residence

    # --- its health --------------------------------------------------------------------------

    @property
    def loaded(self) -> bool:
        return self._orders.kernel is not None

    @property
    def ready(self) -> bool:
        """Whether an executor takes requests and some model loads and computes."""
        watch = self._conductor.watch
        return self._conductor.crew.available and not (watch.all_broken or watch.none_served)

    @property
    def live(self) -> bool:
        """Whether the process can still serve; if not, it should be restarted."""
        hopeless = self._conductor.crew.hopeless(self._clock())
        return not self._conductor.watch.all_broken and not hopeless

    def holds(self, model: str) -> bool:
        """Whether the model's weights are loaded."""
        return self._conductor.crew.with_model(model) is not None

    def points(self, model: str) -> tuple[Point, ...]:
        """Return the model's operating points, from least to most accurate."""
        return self._orders.points(model)

    @property
    def unanswered(self) -> int:
        """Number of admitted images that wait or are computed."""
        return len(self._orders.admitted)

    def measure(self) -> None:
        """Update the gauges that are read on demand."""
        models, size = self._conductor.crew.resident()
        self._metrics.resident_models.set(models)
        self._metrics.resident_bytes.set(size)
        self._metrics.failing.set(self._conductor.watch.all_broken)
        self._metrics.stuck.set(self._conductor.crew.stuck(self._clock()))
        self._metrics.executors.set(self._conductor.crew.working)

    # --- requests ----------------------------------------------------------------------------

    def ask(
        self,
        model: str,
        arrived_s: float,
        within_s: float,
        read: Callable[[], Floats],
        floor: float = 0.0,
    ) -> Ticket:
        """
        Admit a request, with all of its images or none.

        `read` returns the images and is called only after admission, since reading costs more than
        refusing. Of operating points only those with at least the accuracy `floor` serve it. Raises
        Unserved, BadTensor, and what `read` raises.
        """
        self._check_open(model)
        if floor:
            check_floor(self.points(model), floor)
        now_s, admitted = self._clock(), self._orders.admitted
        promised_s = arrived_s + within_s - admitted.margin.of(within_s)
        first = next(self._numbers)
        one = Arrived(first, model, promised_s, bulk=True, floor=floor)
        actions = self._orders.arrive(one, now_s)
        try:
            rows = read()
            for _ in range(len(rows) - 1):
                one = Arrived(next(self._numbers), model, promised_s, bulk=True, floor=floor)
                actions += self._orders.arrive(one, now_s)
        except BaseException:
            for number in range(first, next(self._numbers)):
                self._orders.handle(Gone(number), now_s)
            self._orders.arrived(actions, now_s)
            raise
        answer = self._loop.create_future()
        ticket = Ticket(model, first, rows, arrived_s, now_s, arrived_s + within_s, answer)
        admitted.add(ticket)
        if self._conductor.observer is not None:
            self._conductor.observer.admitted(ticket)
        self._orders.arrived(actions, now_s)
        return ticket

    def leave(self, ticket: Ticket) -> None:
        """The client has gone: what has not started for it is cancelled."""
        self._orders.admitted.left(ticket)

    def answered(self, ticket: Ticket) -> None:
        """The answer has been written."""
        self._orders.admitted.answered(ticket)

    def _check_open(self, model: str) -> None:
        if self._orders.kernel is None:
            raise Unserved(Cause.LOADING)
        if self._conductor.watch.broken(model):
            raise Unserved(Cause.FAILING)
