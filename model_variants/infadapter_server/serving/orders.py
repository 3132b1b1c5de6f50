"""
Pass events to the scheduler, and its actions as orders to executors.

It decides nothing and waits for nothing. Event loop thread only.
"""

from collections import deque
from collections.abc import Callable, Iterable

from infadapter_scheduler.actions import Action, Load, Refuse, Run, Unload
from infadapter_scheduler.buffer import MOST_OF_THE_TIME
from infadapter_scheduler.events import Arrived, BulkArrived, Event, Finished, Gone, Tick
from infadapter_scheduler.model import Model
from infadapter_scheduler.points import Point, PointPolicy
from infadapter_scheduler.scheduler import Scheduler
from infadapter_server.serving.admitted import Admitted
from infadapter_server.serving.alarm import Alarm
from infadapter_server.serving.crew import Crew
from infadapter_server.serving.metrics import ServerMetrics
from infadapter_server.serving.refusal import Unserved
from infadapter_server.serving.repository import Repository
from infadapter_server.serving.residence import Residence
from infadapter_server.serving.slowing import FULL_SPEED, slowed

__all__ = ["Orders"]


class Orders:
    """
    `kernel` (the scheduler) is None until the initial models are loaded; `speed` is the driver's.
    """

    def __init__(
        self,
        repository: Repository,
        crew: Crew,
        metrics: ServerMetrics,
        lag_s: float,
        clock: Callable[[], float],
        policy: PointPolicy,
    ) -> None:
        self.kernel: Scheduler | None = None
        self.speed = FULL_SPEED
        self.residence = Residence(repository, self.told, self._slower, self.points, clock)
        self.admitted = Admitted(metrics, lambda number: self.told(Gone(number)), clock)
        self.alarm = Alarm(self._tick)
        self._crew, self._metrics = crew, metrics
        self._lag_s, self._clock, self._policy = lag_s, clock, policy

    def begin(self) -> None:
        """Create the scheduler with what the warm-up measured."""
        models = self.residence.models()
        self.kernel = Scheduler(
            models,
            most_buffer=MOST_OF_THE_TIME,
            lag_s=self._lag_s,
            points=self._policy,
            trials=True,
        )
        self._metrics.know_points(point.name for model in models for point in model.points)

    def points(self, model: str) -> tuple[Point, ...]:
        """Return the points, from least to most accurate; none before the model's first load."""
        return () if self.kernel is None else self.kernel.points(model)

    def arrive(self, event: Arrived, now_s: float) -> list[Action]:
        """Return the actions for an arrival, once the requested model is known. Raises Unserved."""
        assert self.kernel is not None
        actions = self.kernel.handle(event, now_s)
        for action in actions:
            if isinstance(action, Refuse) and action.request == event.request:
                if len(actions) > 1:
                    self.carry_out([other for other in actions if other is not action], now_s)
                raise Unserved(action.reason, action.retry_after_s)
        return actions

    def arrived(self, actions: Iterable[Action], now_s: float) -> None:
        """All images of a request have arrived: send them, together if possible."""
        assert self.kernel is not None
        self.carry_out([*actions, *self.kernel.handle(BulkArrived(), now_s)], now_s)

    def told(self, event: Event) -> None:
        self.handle(event, self._clock())

    def handle(self, event: Event, now_s: float) -> None:
        assert self.kernel is not None
        self.carry_out(self.kernel.handle(event, now_s), now_s)

    def carry_out(self, actions: Iterable[Action], now_s: float) -> None:
        assert self.kernel is not None
        left = deque(actions)
        while left:
            match left.popleft():
                case Run() as run:
                    left.extend(self._run(self.kernel, run, now_s))
                case Refuse() as refuse:
                    self.admitted.given_up(refuse.request, refuse.reason)
                case Load() as load:
                    self.residence.load_on(self._crew[load.executor], load)
                case Unload() as unload:
                    self._metrics.evictions.inc()
                    self.residence.unload_from(self._crew[unload.executor], unload.model)
        self.alarm.set(min(self.kernel.next_tick_s(), self.admitted.next_due_s()), now_s)

    def _run(self, kernel: Scheduler, run: Run, now_s: float) -> list[Action]:
        lane = self._crew[run.executor]
        if lane.full:
            lane.waiting.append(run)
            return []
        members = self.admitted.members(run.batch)
        if members:
            points = kernel.points(run.model)
            lane.send(run, members, now_s, points[run.point] if points else None)
            return []
        # Everyone in it has gone since it was decided.
        return kernel.handle(Finished(run.executor, run.run, now_s, now_s, done=False), now_s)

    def _tick(self) -> None:
        now_s = self._clock()
        self.admitted.end_late(now_s)
        self.handle(Tick(), now_s)

    def _slower(self, model: Model) -> Model:
        return slowed(model, self.speed)
