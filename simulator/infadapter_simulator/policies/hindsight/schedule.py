"""A schedule made in hindsight: the plan of each step, and the policy that carries it out."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from infadapter_operator.rollout.traffic_split import whole_weights
from infadapter_simulator.policies.hindsight.moves import MARGIN_S, Times, times_of
from infadapter_simulator.policies.hindsight.pareto_plans import (
    ABSENT,
    Plans,
    sizes_of,
)
from infadapter_simulator.scenario import Scenario
from infadapter_simulator.world.pods import SimulatedPod
from infadapter_simulator.world.queues import Floats, Ints
from infadapter_simulator.world.world import World
from infadapter_solver import Allocation


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Schedule:
    """The plan of each step."""

    plans: Plans
    path: Ints
    loads: Floats  # by step and variant, the most accurate first; relative load


class Order(NamedTuple):
    """
    An action, sorted by time; at equal times pods are removed and started before weights and sizes
    change.
    """

    at_s: float
    turn: int
    slot: int
    millicores: int  # of a start or a resize; for weights, the step


_GO, _START, _WEIGH, _RESIZE = range(4)


class Scheduled:
    """The policy. It requests every change early enough to be in force when its step begins."""

    name = "hindsight"

    def __init__(self, scenario: Scenario, schedule: Schedule) -> None:
        self._schedule, self._scenario = schedule, scenario
        self._slots = schedule.plans.slots
        self._sizes = [sizes_of(scenario, slot) for slot in self._slots]
        times = times_of(scenario, self._slots)
        self._orders = sorted(_orders(schedule, self._sizes, times, scenario))
        self._next = 0
        self._pods: dict[int, SimulatedPod] = {}  # the last pod by slot
        variants = sorted(scenario.variants, key=lambda variant: -variant.accuracy)
        column = {variant.name: at for at, variant in enumerate(variants)}
        self._column = [column[slot.target.variant] for slot in self._slots]

    def begin(self, world: World, mean_rps: float) -> None:
        first = self._schedule.plans.millicores[self._schedule.path[0]]
        for slot in np.flatnonzero(first != ABSENT):
            self._start(world, int(slot), int(first[slot]), ready=True)
        self._weigh(world, 0, at_once=True)

    def next_act_s(self, now_s: float) -> float:
        return self._orders[self._next].at_s if self._next < len(self._orders) else np.inf

    def act(self, world: World) -> None:
        while self._next < len(self._orders) and self.next_act_s(0.0) <= world.now_s + 1e-9:
            self._carry_out(world, self._orders[self._next])
            self._next += 1

    def queue_limits(self, world: World) -> Mapping[tuple[str, int], int] | None:
        return None

    def _carry_out(self, world: World, order: Order) -> None:
        if order.turn == _WEIGH:
            self._weigh(world, order.millicores)
        elif order.turn == _START:
            self._start(world, order.slot, order.millicores)
        elif order.turn == _GO:
            world.remove(self._pods[order.slot])
        else:
            world.resize(self._pods[order.slot], self._size(order.slot, order.millicores).size)

    def _start(self, world: World, slot: int, millicores: int, *, ready: bool = False) -> None:
        variant, kind = self._slots[slot].target
        size = self._size(slot, millicores).size
        self._pods[slot] = world.start(variant, size, kind=kind, ready=ready)

    def _weigh(self, world: World, step: int, *, at_once: bool = False) -> None:
        """Set weights; pods of one variant share its load by their speed."""
        there = self._schedule.plans.millicores[self._schedule.path[step]]
        speeds = {
            int(slot): self._scenario.speed(
                self._slots[slot].target.variant, self._size(int(slot), int(there[slot])).size
            ).most_rps
            for slot in np.flatnonzero(there != ABSENT)
        }
        of_variant: dict[int, float] = {}
        for slot, rps in speeds.items():
            of_variant[self._column[slot]] = of_variant.get(self._column[slot], 0.0) + rps
        loads = self._schedule.loads[step] / max(self._schedule.loads[step].sum(), 1e-9)
        shares = {
            self._pods[slot].name: float(loads[self._column[slot]])
            * rps
            / of_variant[self._column[slot]]
            for slot, rps in speeds.items()
            if loads[self._column[slot]] > 0
        }
        world.route(whole_weights(shares), at_once=at_once)

    def _size(self, slot: int, millicores: int) -> Allocation:
        return self._sizes[slot][millicores]


def _orders(
    schedule: Schedule, sizes: list[dict[int, Allocation]], times: Times, scenario: Scenario
) -> Iterator[Order]:
    for step in range(1, len(schedule.path)):
        at_s = step * times.step_s
        yield Order(at_s - scenario.weights_lag_s, _WEIGH, -1, step)
        had, has = schedule.plans.millicores[schedule.path[step - 1 : step + 1]]
        for slot in map(int, np.flatnonzero(had != has)):
            least, wanted = min(sizes[slot]), int(has[slot])
            if wanted == ABSENT:
                gone_s = at_s + max(0.0, scenario.slo_s - scenario.drain_s) + MARGIN_S / 2
                yield Order(gone_s, _GO, slot, 0)
            if had[slot] == ABSENT:
                yield Order(at_s - times.start_s[slot] - 1e-6, _START, slot, least)
            yield Order(at_s - times.resize_s, _RESIZE, slot, max(least, wanted))
