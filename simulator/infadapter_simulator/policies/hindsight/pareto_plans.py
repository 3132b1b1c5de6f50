"""The plans that a schedule is made of: those that no other one makes superfluous for any load."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from infadapter_simulator.policies.hindsight.static_options import variant_sets, within
from infadapter_simulator.scenario import Scenario
from infadapter_simulator.world.queues import Floats, Ints
from infadapter_solver import CPU, Allocation, PodGroup, Resources, Target
from infadapter_solver.exact.pareto import undominated

MOST_CHOICES = 100_000
"""So many are compared; where there are more, sizes are left out evenly."""

ABSENT = -1


class Slot(NamedTuple):
    """A place for a pod that can be resized in place: one of several of its target."""

    target: Target
    but_cpu: tuple[tuple[str, int], ...]
    place: int


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Plans:
    """One a row."""

    groups: tuple[tuple[PodGroup, ...], ...]
    slots: tuple[Slot, ...]
    millicores: Ints  # by plan and slot; ABSENT where there is no pod
    rps: Floats  # by plan and variant, at full speed
    accuracy: Floats  # by variant, the highest first
    price: Floats  # of a second, by plan

    def __len__(self) -> int:
        return len(self.groups)

    def value(self, demand_rps: Floats) -> Floats:
        """By demand and plan: requests a second times their accuracy, as far as the speed goes."""
        left = np.repeat(demand_rps[:, None], len(self), axis=1)
        found = np.zeros_like(left)
        for variant, accuracy in enumerate(self.accuracy):
            served = np.minimum(left, self.rps[None, :, variant])
            found += accuracy * served
            left -= served
        return found

    def only(self, rows: Ints) -> "Plans":
        return Plans(
            groups=tuple(self.groups[row] for row in rows),
            slots=self.slots,
            millicores=self.millicores[rows],
            rps=self.rps[rows],
            accuracy=self.accuracy,
            price=self.price[rows],
        )


def pareto_plans(scenario: Scenario) -> Plans:
    """All within the budget that no other reaches in speed at each accuracy, and in price."""
    variants = sorted(scenario.variants, key=lambda variant: -variant.accuracy)
    groups = list(_choices(scenario))
    column = {variant.name: at for at, variant in enumerate(variants)}
    rps = np.zeros((len(groups), len(variants)))
    for row, chosen in enumerate(groups):
        for group in chosen:
            speed = scenario.speed(group.target.variant, group.allocation.size)
            rps[row, column[group.target.variant]] += group.pods * speed.most_rps
    amounts = np.array([[_used(chosen, name) for name in scenario.budget] for chosen in groups])
    price = np.array([_price(scenario, chosen) for chosen in groups])
    better = np.column_stack([np.cumsum(rps, axis=1), -amounts, -price])
    rows = undominated(better)
    kept = tuple(groups[row] for row in rows)
    slots = tuple(sorted({slot for chosen in kept for slot in _pods(chosen)}))
    return Plans(
        groups=kept,
        slots=slots,
        millicores=np.array([[_pods(chosen).get(s, ABSENT) for s in slots] for chosen in kept]),
        rps=rps[rows],
        accuracy=np.array([variant.accuracy for variant in variants]),
        price=price[rows],
    )


def sizes_of(scenario: Scenario, slot: Slot) -> dict[int, Allocation]:
    """What a pod there may be resized to, by millicores."""
    return {
        a.cpu_millicores: a
        for a in scenario.variant(slot.target.variant).allocations
        if a.kind == slot.target.kind and a.size.but_cpu == slot.but_cpu
    }


def _choices(scenario: Scenario) -> Iterator[tuple[PodGroup, ...]]:
    for options in variant_sets(scenario, MOST_CHOICES):
        picks = np.indices([len(groups) for groups in options]).reshape(len(options), -1).T
        for pick in picks[within(scenario, options, picks)]:
            yield tuple(groups[i] for groups, i in zip(options, pick, strict=True))


def _pods(groups: Sequence[PodGroup]) -> dict[Slot, int]:
    return {
        Slot(g.target, g.allocation.size.but_cpu, index): g.allocation.cpu_millicores
        for g in groups
        for index in range(g.pods)
    }


def _used(groups: Sequence[PodGroup], name: str) -> int:
    return sum(group.resources.get(name, 0) for group in groups)


def _price(scenario: Scenario, groups: Sequence[PodGroup]) -> float:
    return sum(scenario.objective.price_of(group.resources) for group in groups)


def limits(scenario: Scenario) -> Resources:
    """What may be held at once, budget and surge."""
    surge = scenario.budget if scenario.max_surge is None else scenario.max_surge
    return {name: n + surge.get(name, 0) for name, n in scenario.budget.items()} or {CPU: 0}
