"""
Emulated executors in virtual time: they take as long as the table says, with configured deviations.

They check the scheduler's contract: one batch at a time, no start after `latest`, weights present
before a batch begins, and never more pages than there are. A load has a channel of its own beside
executions, as on a GPU, or shares the queue, as on a CPU.
"""

import random
from heapq import heapify, heappop, heappush
from itertools import count
from math import inf

from infadapter_scheduler.actions import Action, Load, Refuse, Run, Unload
from infadapter_scheduler.events import (
    Arrived,
    Event,
    ExecutorJoined,
    ExecutorLeft,
    Finished,
    Loaded,
    Tick,
)
from infadapter_scheduler.front import delay_running, take
from infadapter_scheduler.policy import Policy
from infadapter_scheduler.world import Arrival, BrokenRule, Machine, Served, Settled, World

ROUNDING_S = 1e-8


class Emulation:
    """A policy, its executors, and the events that they have yet to report."""

    def __init__(
        self,
        policy: Policy,
        world: World,
        settled: Settled = lambda arrival, fate, known_s: None,
    ) -> None:
        self.policy, self.world, self._settled = policy, world, settled
        self.machines = {f"executor-{i}": Machine(f"executor-{i}") for i in range(world.executors)}
        self._open: dict[int, tuple[Arrival, Served]] = {}
        self._told: list[tuple[float, int, Event]] = []
        self._batches: dict[tuple[str, int], tuple[int, ...]] = {}
        self._order, self._numbers = count(), count()
        self._draw = random.Random(world.seed)
        known = tuple(world.models) if world.pages is None else ()
        for machine in self.machines.values():
            machine.there_s.update(dict.fromkeys(known, -inf))
            self._tell(ExecutorJoined(machine.name, world.pages, known, world.shared_load), 0.0)

    def due_s(self) -> float:
        """The time of the next event or tick."""
        told_s = self._told[0][0] if self._told else inf
        return min(self.policy.next_tick_s(), told_s)

    def step(self, end_s: float) -> bool:
        """Process the next event or tick until `end_s`; return False if there is none."""
        tick_s = self.policy.next_tick_s()
        told_s = self._told[0][0] if self._told else inf
        if min(tick_s, told_s) > end_s or min(tick_s, told_s) == inf:
            return False
        if told_s <= tick_s and not self._held_up():
            now_s, _, event = heappop(self._told)
            self._tell(event, now_s)
            if isinstance(event, Finished):
                self._ended(event, now_s)
        elif tick_s < told_s:
            self._tell(Tick(), tick_s)
        return True

    def _held_up(self) -> bool:
        """Whether an execution ends later because the front used its core meanwhile."""
        event = self._told[0][2]
        machine = self.machines.get(event.executor) if isinstance(event, Finished) else None
        if machine is None or not machine.owed_s:
            return False
        for finished in delay_running(self._told, machine):
            for number in self._batches[finished.executor, finished.run]:
                if number in self._open:
                    fate = self._open[number][1]
                    fate.start_s, fate.end_s = finished.start_s, finished.end_s
        return True

    def arrive(self, arrival: Arrival) -> Served:
        number, fate = next(self._numbers), Served(decided_s=arrival.arrival_s)
        self._open[number] = arrival, fate
        deadline_s = arrival.arrival_s + arrival.slo_s
        self._tell(
            Arrived(number, arrival.model, deadline_s, floor=arrival.floor), arrival.arrival_s
        )
        front = self.world.front
        if any(front) and self.machines:
            seconds = front.refusal_s if fate.outcome == "refused" else front.answer_s
            take(next(iter(self.machines.values())), seconds, arrival.arrival_s)
        return fate

    def lose(self, name: str, now_s: float) -> None:
        """Lose an executor with what it was running; its pending events are never reported."""
        del self.machines[name]
        self._told = [told for told in self._told if getattr(told[2], "executor", "") != name]
        heapify(self._told)
        self._tell(ExecutorLeft(name), now_s)

    def _tell(self, event: Event, now_s: float) -> None:
        for action in self.policy.handle(event, now_s):
            self._carry_out(action, now_s)

    def _carry_out(self, action: Action, now_s: float) -> None:
        if isinstance(action, Run):
            self._run(action, now_s)
        elif isinstance(action, Refuse):
            self._refuse(action, now_s)
        elif isinstance(action, Load):
            self._load(action, now_s)
        else:
            self._unload(action)

    def _refuse(self, refuse: Refuse, now_s: float) -> None:
        arrival, fate = self._open.pop(refuse.request)
        fate.outcome = "cancelled" if refuse.reason.breaks_promise else "refused"
        fate.decided_s, fate.retry_after_s = now_s, refuse.retry_after_s
        fate.executor, fate.batch = "", 0
        self._settled(arrival, fate, now_s)

    def _run(self, run: Run, now_s: float) -> None:
        machine = self.machines[run.executor]
        reached_s = max(now_s + self.world.lag_s, machine.front_free_s)
        begin_s = max(reached_s, machine.free_s, run.earliest_s)
        there_s = machine.there_s.get(run.model, inf)
        done = begin_s <= run.latest_s + ROUNDING_S and there_s <= begin_s + ROUNDING_S
        took_s = self._took(self._seconds(run)) if done else 0.0
        if run.point != machine.point:
            took_s += self.world.switch_s
            machine.point = run.point
        machine.free_s = end_s = begin_s + took_s
        machine.busy_s += took_s
        for number in run.batch:
            arrival, fate = self._open[number]
            fate.executor, fate.batch, fate.point = run.executor, len(run.batch), run.point
            fate.start_s, fate.end_s = begin_s, end_s
            fate.cold = there_s > arrival.arrival_s
            if not self.policy.decides_at_arrival:
                fate.decided_s = now_s
        self._batches[run.executor, run.run] = run.batch
        self._later(end_s + self.world.lag_s, Finished(run.executor, run.run, begin_s, end_s, done))

    def _seconds(self, run: Run) -> float:
        try:
            model = self.world.models[run.model]
            execution_s = model.points[run.point].execution_s if model.points else model.execution_s
            return execution_s[len(run.batch)]
        except KeyError:
            raise BrokenRule(f"{run.model} is not served in batches of {len(run.batch)}") from None

    def _took(self, seconds: float) -> float:
        return self.world.deviation(seconds, self._draw)

    def _load(self, load: Load, now_s: float) -> None:
        machine = self.machines[load.executor]
        model = self.world.models[load.model]
        machine.used_pages += model.pages
        if load.model in machine.there_s or machine.used_pages > (self.world.pages or inf):
            raise BrokenRule(f"no room for {load.model} on {load.executor}")
        free_s = machine.free_s if self.world.shared_load else machine.load_free_s
        begin_s = max(now_s + self.world.lag_s, free_s, load.earliest_s)
        took_s = self._took(model.load_s)
        machine.load_free_s = machine.there_s[load.model] = begin_s + took_s
        machine.loading_s += took_s
        machine.loads += 1
        if self.world.shared_load:
            machine.free_s = machine.load_free_s
        told = Loaded(load.executor, load.model, begin_s, machine.load_free_s)
        self._later(machine.load_free_s + self.world.lag_s, told)

    def _unload(self, unload: Unload) -> None:
        machine = self.machines[unload.executor]
        if machine.there_s.pop(unload.model, None) is None:
            raise BrokenRule(f"{unload.model} is not on {unload.executor}")
        machine.used_pages -= self.world.models[unload.model].pages

    def _later(self, at_s: float, event: Event) -> None:
        heappush(self._told, (at_s, next(self._order), event))

    def _ended(self, finished: Finished, now_s: float) -> None:
        """
        Answer the requests of a completed batch, apart from those refused because it was dropped.
        """
        for number in self._batches.pop((finished.executor, finished.run)):
            if number in self._open:
                arrival, fate = self._open.pop(number)
                due_s = arrival.arrival_s + arrival.slo_s + ROUNDING_S
                fate.outcome = "on_time" if finished.end_s <= due_s else "late"
                self._settled(arrival, fate, now_s)
