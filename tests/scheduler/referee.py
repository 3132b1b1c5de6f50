"""Simulated executors that check a scheduler: its actions, and that it answers every request."""

import random
from collections.abc import Mapping
from dataclasses import dataclass, field
from heapq import heappop, heappush
from math import exp, inf

from infadapter_scheduler import (
    Action,
    Arrived,
    BulkArrived,
    Event,
    ExecutorJoined,
    ExecutorLeft,
    Finished,
    Gone,
    Load,
    Loaded,
    Model,
    ModelAdded,
    ModelRemoved,
    PointsAllowed,
    Profiled,
    Reason,
    Refuse,
    Run,
    Scheduler,
    SpeedChanged,
    Tick,
    Unload,
)

ROUNDING_S = 2e-8


@dataclass
class Watched:
    """The true state of one executor, which the scheduler may not know."""

    pages: int | None
    shared_load: bool = False
    free_s: float = 0.0
    load_free_s: float = 0.0
    held: dict[str, int] = field(default_factory=dict)
    there: set[str] = field(default_factory=set)
    running: dict[int, Run] = field(default_factory=dict)


def profiles(model: Model) -> list[tuple[str | None, Mapping[int, float]]]:
    """Return the execution times by batch size of each operating point, or of the model."""
    if not model.points:
        return [(None, model.execution_s)]
    return [(point.name, point.execution_s) for point in model.points]


class Referee:
    """Drives a scheduler through events in virtual time, and checks each of its actions."""

    def __init__(self, scheduler: Scheduler, models: list[Model], sigma: float, seed: int) -> None:
        self.scheduler, self.models = scheduler, {model.name: model for model in models}
        self.sigma, self.draw = sigma, random.Random(seed)
        self.now_s = 0.0
        self.executors: dict[str, Watched] = {}
        self.deadlines: dict[int, float] = {}
        self.answers: dict[int, str] = {}
        self.sent: set[int] = set()
        self.gone: set[int] = set()
        self.told: list[tuple[float, int, Event]] = []
        self.count = 0
        self.exact = not sigma and not scheduler.state.trials
        self.slower, self.longer_s = 1.0, 0.0
        self.failing: set[str] = set()
        self.may: dict[int, set[int]] = {}  # the operating points that may serve each request
        self.allowed: dict[str, tuple[tuple[int, ...], float]] = {}
        self.better = 0
        self.removed: set[str] = set()

    def join(self, pages: int | None, shared_load: bool = False) -> None:
        name = f"e{self.count}"
        self.executors[name] = Watched(pages, shared_load)
        if pages is None:
            self.executors[name].held = dict.fromkeys(self.models, 0)
            self.executors[name].there = set(self.models)
        there = tuple(sorted(self.executors[name].there))
        self.tell(ExecutorJoined(name, pages, there, shared_load))

    def fail(self, kind: str) -> None:
        """Let the next Run or Load fail (`kind`: "run" or "load")."""
        self.failing.add(kind)

    def change_speed(self, factor: float, each_s: float = 0.0) -> None:
        """Multiply all times by `factor`, and add `each_s` per request until the next change."""
        self.exact, self.slower = False, self.slower * factor
        longer_s, self.longer_s = self.longer_s, each_s
        self.tell(SpeedChanged(factor, each_s - factor * longer_s))

    def profile(self, model: str, factor: float) -> None:
        if model in self.models:
            self.exact = False
            load_s = factor * self.models[model].load_s
            for point, execution_s in profiles(self.models[model]):
                seconds = {b: factor * t for b, t in execution_s.items()}
                self.tell(Profiled(model, seconds, load_s, point))

    def allow(self, model: str, draw: int) -> None:
        """Allow some of its points, with a floor that one of them reaches; skip removed models."""
        known = self.scheduler.state.models.get(model)
        if known is not None and not known.removed and known.ladder is not None:
            points = self.models[model].points
            numbers = [n for n in range(len(points)) if (draw >> n) & 1] or [draw % len(points)]
            floor = points[numbers[draw % len(numbers)]].accuracy
            self.allowed[model] = tuple(numbers), floor
            self.tell(PointsAllowed(model, tuple(points[n].name for n in numbers), floor))

    def add(self, model: str) -> None:
        """Add the model, or add it again."""
        if model in self.models:
            self.removed.discard(model)
            self.allowed.pop(model, None)
            self.tell(ModelAdded(self.models[model]))

    def remove(self, model: str) -> None:
        self.removed.add(model)
        self.tell(ModelRemoved(model))

    def leave(self, name: str) -> None:
        del self.executors[name]
        self.tell(ExecutorLeft(name))

    def arrive(self, model: str, slo_s: float, floor: float = 0.0, *, bulk: bool = False) -> int:
        number = self.count
        self.deadlines[number] = self.now_s + slo_s
        self.may[number] = self._may(model, floor)
        self.tell(Arrived(number, model, self.deadlines[number], floor, bulk))
        return number

    def arrive_together(self, model: str, slo_s: float, many: int) -> list[int]:
        """Let requests arrive in bulk. None of them may be sent before BulkArrived."""
        sent = len(self.sent)
        numbers = [self.arrive(model, slo_s, bulk=True) for _ in range(many)]
        assert len(self.sent) == sent, "sent before the others were told"
        self.tell(BulkArrived())
        return numbers

    def _may(self, model: str, floor: float) -> set[int]:
        points = self.models[model].points if model in self.models else ()
        allowed, least = self.allowed.get(model, (tuple(range(len(points))), 0.0))
        return {n for n in allowed if points[n].accuracy >= max(floor, least)}

    def go(self, number: int) -> None:
        if number in self.deadlines and number not in self.answers:
            self.gone.add(number)
            self.tell(Gone(number))

    def wait(self, seconds: float) -> None:
        end_s = self.now_s + seconds
        while True:
            told_s = self.told[0][0] if self.told else inf
            at_s = min(told_s, self.scheduler.next_tick_s())
            if at_s > end_s or at_s == inf:
                break
            self.now_s = max(self.now_s, at_s)
            self.tell(heappop(self.told)[2] if told_s <= at_s else Tick())
        self.now_s = max(self.now_s, end_s if end_s < inf else 0.0)

    def finish(self) -> None:
        """Run until no event is left, and assert that every request was answered."""
        self.wait(inf)
        for executor in self.executors.values():
            assert not self.removed & set(executor.held), "removed, and never unloaded"
        waiting = set(self.deadlines) - set(self.answers) - self.gone
        assert not waiting, f"never answered: {waiting}"

    def tell(self, event: Event) -> None:
        self.count += 1
        if isinstance(event, Finished | Loaded) and event.executor not in self.executors:
            return
        if isinstance(event, Finished):
            self._finished(event)
        if isinstance(event, Loaded):
            self._loaded(event)
        self._obey(self.scheduler.handle(event, self.now_s), event)

    def _obey(self, actions: list[Action], event: Event) -> None:
        for action in actions:
            match action:
                case Run():
                    self._run(action)
                case Refuse():
                    self._refuse(action, event)
                case Load():
                    self._load(action)
                case Unload():
                    self._unload(action)

    def _run(self, run: Run) -> None:
        executor, model = self.executors[run.executor], self.models[run.model]
        assert run.model in executor.there, "its weights are not there"
        assert len(run.batch) in model.execution_s, "no such batch size"
        assert not self.sent & set(run.batch), "sent twice"
        assert not set(run.batch) & set(self.answers), "answered before"
        assert executor.free_s <= self.now_s + ROUNDING_S, "two at a time"
        end_s = self.now_s + run.expected_s
        in_time = all(end_s <= self.deadlines[number] + ROUNDING_S for number in run.batch)
        assert in_time or self.scheduler.state.trials
        assert run.earliest_s <= self.now_s <= run.latest_s + ROUNDING_S, "after its latest"
        self.sent |= set(run.batch)
        took_s = self.slower * self._seconds(run, model) + len(run.batch) * self.longer_s
        took_s *= exp(self.draw.gauss(0, self.sigma))
        done = not self._fails("run")
        executor.free_s = self.now_s + (took_s if done else 0.0)
        executor.running[run.run] = run
        ended = Finished(run.executor, run.run, self.now_s, executor.free_s, done)
        self._later(executor.free_s, ended)

    def _seconds(self, run: Run, model: Model) -> float:
        """Return the time of a run at its operating point, which all its requests must allow."""
        if not model.points:
            return model.execution_s[len(run.batch)]
        point = model.points[run.point]
        assert all(run.point in self.may[number] for number in run.batch), "not what it asked for"
        self.better += point.execution_s[len(run.batch)] > model.execution_s[len(run.batch)]
        return point.execution_s[len(run.batch)]

    def _refuse(self, refuse: Refuse, event: Event) -> None:
        at_arrival = isinstance(event, Arrived) and event.request == refuse.request
        assert at_arrival != refuse.reason.breaks_promise, "a refusal comes at once or never"
        self._answer(refuse.request, "cancelled" if refuse.reason.breaks_promise else "refused")
        assert refuse.reason is not Reason.GIVEN_UP or not self.exact, "an exact one was late"
        assert not at_arrival or refuse.reason is not Reason.UNKNOWN_MODEL or self._unknown(event)
        assert refuse.reason is not Reason.NO_POINT or not self.may[refuse.request]

    def _unknown(self, event: Event) -> bool:
        assert isinstance(event, Arrived)
        return event.model not in self.models or event.model in self.removed

    def _load(self, load: Load) -> None:
        executor = self.executors[load.executor]
        assert load.model not in executor.held, "held already"
        executor.held[load.model] = self.models[load.model].pages
        assert executor.pages is None or sum(executor.held.values()) <= executor.pages
        free_s = executor.free_s if executor.shared_load else executor.load_free_s
        begin_s = max(self.now_s, free_s)
        dropped = begin_s > load.latest_s + ROUNDING_S
        assert not dropped or not self.exact, "after its latest"
        took_s = 0.0 if dropped else self.slower * self.models[load.model].load_s
        executor.load_free_s = begin_s + took_s
        if executor.shared_load:
            executor.free_s = executor.load_free_s
        done = not dropped and not self._fails("load")
        told = Loaded(load.executor, load.model, begin_s, executor.load_free_s, done)
        self._later(executor.load_free_s, told)

    def _loaded(self, event: Loaded) -> None:
        executor = self.executors[event.executor]
        if event.done:
            executor.there.add(event.model)
        else:
            del executor.held[event.model]

    def _fails(self, kind: str) -> bool:
        failing = kind in self.failing
        self.failing.discard(kind)
        self.exact = self.exact and not failing
        return failing

    def _unload(self, unload: Unload) -> None:
        executor = self.executors[unload.executor]
        assert unload.model in executor.there, "not there, or still being loaded"
        assert all(run.model != unload.model for run in executor.running.values()), "it runs"
        del executor.held[unload.model]
        executor.there.remove(unload.model)

    def _finished(self, event: Finished) -> None:
        run = self.executors[event.executor].running.pop(event.run)
        if not event.done:
            return
        for number in set(run.batch) - self.gone:
            late = event.end_s > self.deadlines[number] + ROUNDING_S
            self._answer(number, "late" if late else "on_time")
            assert not late or not self.exact, "an exact executor was late"

    def _answer(self, number: int, answer: str) -> None:
        assert number not in self.answers, "answered twice"
        self.answers[number] = answer

    def _later(self, at_s: float, event: Event) -> None:
        self.count += 1
        heappush(self.told, (at_s, self.count, event))
