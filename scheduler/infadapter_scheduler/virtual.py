"""
Executors in virtual time: they take as long as the table says, times a noise that is drawn.

They hold schedulers to their word: one batch at a time, no start after `latest`, weights there
before a batch begins, never more pages than there are. A load has a channel of its own beside the
executions, as on a GPU, or stands among them, as on a CPU.
"""

import random
from collections.abc import Callable, Sequence
from heapq import heappop, heappush
from itertools import count
from math import exp, inf

from infadapter_scheduler.actions import Action, Load, Refuse, Run, Unload
from infadapter_scheduler.events import Arrived, Event, ExecutorJoined, Finished, Loaded, Tick
from infadapter_scheduler.policy import Policy
from infadapter_scheduler.world import Arrival, BrokenRule, Machine, Served, World

ROUNDING_S = 1e-8


Progress = Callable[[int, int], None]


def replay(
    policy: Policy,
    arrivals: Sequence[Arrival],
    world: World,
    progress: Progress = lambda done, total: None,
) -> list[Served]:
    """Each arrival's fate, in the order of the arrivals, which must be that of time."""
    run = _Replay(policy, arrivals, world)
    run.join()
    for number, arrival in enumerate(arrivals):
        run.until(arrival.arrival_s)
        run.arrive(number, arrival)
        if number % 4096 == 0:
            progress(number, len(arrivals))
    run.until(inf)
    return run.served


class _Replay:
    def __init__(self, policy: Policy, arrivals: Sequence[Arrival], world: World) -> None:
        self.policy, self.arrivals, self.world = policy, arrivals, world
        self.served = [Served() for _ in arrivals]
        self.machines = {f"executor-{i}": Machine(f"executor-{i}") for i in range(world.executors)}
        self._told: list[tuple[float, int, Event]] = []
        self._batches: dict[tuple[str, int], tuple[int, ...]] = {}
        self._order = count()
        self._draw = random.Random(world.seed)

    def join(self) -> None:
        known = tuple(self.world.models) if self.world.pages is None else ()
        for machine in self.machines.values():
            machine.there_s.update(dict.fromkeys(known, -inf))
            joined = ExecutorJoined(machine.name, self.world.pages, known, self.world.shared_load)
            self._tell(joined, 0.0)

    def until(self, end_s: float) -> None:
        """All that is told, or ticks, up to a time."""
        while True:
            tick_s = self.policy.next_tick_s()
            told_s = self._told[0][0] if self._told else inf
            if min(tick_s, told_s) > end_s or min(tick_s, told_s) == inf:
                return
            if told_s <= tick_s:
                now_s, _, event = heappop(self._told)
                if isinstance(event, Finished) and event.done:
                    self._judge(event)
                self._tell(event, now_s)
            else:
                self._tell(Tick(), tick_s)

    def arrive(self, number: int, arrival: Arrival) -> None:
        self.served[number].decided_s = arrival.arrival_s
        deadline_s = arrival.arrival_s + arrival.slo_s
        self._tell(Arrived(number, arrival.model, deadline_s), arrival.arrival_s)

    def _tell(self, event: Event, now_s: float) -> None:
        for action in self.policy.handle(event, now_s):
            self._carry_out(action, now_s)

    def _carry_out(self, action: Action, now_s: float) -> None:
        if isinstance(action, Run):
            self._run(action, now_s)
        elif isinstance(action, Refuse):
            fate = self.served[action.request]
            fate.outcome = "cancelled" if action.reason.breaks_promise else "refused"
            fate.decided_s = now_s
            fate.executor, fate.batch = "", 0
        elif isinstance(action, Load):
            self._load(action, now_s)
        else:
            self._unload(action)

    def _run(self, run: Run, now_s: float) -> None:
        machine = self.machines[run.executor]
        begin_s = max(now_s + self.world.lag_s, machine.free_s, run.earliest_s)
        there_s = machine.there_s.get(run.model, inf)
        done = begin_s <= run.latest_s + ROUNDING_S and there_s <= begin_s + ROUNDING_S
        end_s = begin_s + (self._took(self._seconds(run)) if done else 0.0)
        machine.free_s = end_s
        for number in run.batch:
            fate = self.served[number]
            fate.executor, fate.batch = run.executor, len(run.batch)
            fate.start_s, fate.end_s = begin_s, end_s
            fate.cold = there_s > self.arrivals[number].arrival_s
            if not self.policy.decides_at_arrival:
                fate.decided_s = now_s
        told = Finished(run.executor, run.run, begin_s, end_s, done)
        self._later(end_s + self.world.lag_s, told, run.batch)

    def _seconds(self, run: Run) -> float:
        try:
            return self.world.models[run.model].execution_s[len(run.batch)]
        except KeyError:
            raise BrokenRule(f"{run.model} is not served in batches of {len(run.batch)}") from None

    def _took(self, seconds: float) -> float:
        sigma = self.world.noise_sigma
        return seconds * exp(self._draw.gauss(0.0, sigma)) if sigma else seconds

    def _load(self, load: Load, now_s: float) -> None:
        machine = self.machines[load.executor]
        model = self.world.models[load.model]
        machine.used_pages += model.pages
        if load.model in machine.there_s or machine.used_pages > (self.world.pages or inf):
            raise BrokenRule(f"no room for {load.model} on {load.executor}")
        free_s = machine.free_s if self.world.shared_load else machine.load_free_s
        begin_s = max(now_s + self.world.lag_s, free_s, load.earliest_s)
        machine.load_free_s = machine.there_s[load.model] = begin_s + self._took(model.load_s)
        if self.world.shared_load:
            machine.free_s = machine.load_free_s
        told = Loaded(load.executor, load.model, begin_s, machine.load_free_s)
        self._later(machine.load_free_s + self.world.lag_s, told)

    def _unload(self, unload: Unload) -> None:
        machine = self.machines[unload.executor]
        if machine.there_s.pop(unload.model, None) is None:
            raise BrokenRule(f"{unload.model} is not on {unload.executor}")
        machine.used_pages -= self.world.models[unload.model].pages

    def _later(self, at_s: float, event: Event, batch: tuple[int, ...] = ()) -> None:
        heappush(self._told, (at_s, next(self._order), event))
        if batch and isinstance(event, Finished):
            self._batches[event.executor, event.run] = batch

    def _judge(self, finished: Finished) -> None:
        for number in self._batches.pop((finished.executor, finished.run)):
            arrival = self.arrivals[number]
            due_s = arrival.arrival_s + arrival.slo_s + ROUNDING_S
            self.served[number].outcome = "on_time" if finished.end_s <= due_s else "late"
