"""The plans that a schedule is made of: those that no other one makes superfluous for any load."""

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import combinations
from typing import NamedTuple

import numpy as np

from infadapter_simulator.policies.hindsight.pod_sets import PodSet, pod_sets
from infadapter_simulator.scenario import Scenario
from infadapter_simulator.world.queues import Floats, Ints
from infadapter_solver import Allocation, Target
from infadapter_solver.exact.pareto import undominated

MOST_VARIANTS = 3
MOST_CHOICES = 400_000
"""Where there are more than this, sets of pods are left out evenly."""

MOST_COMPARED = 4_000
"""Of so many that are the nearest to the best at some rate, the Pareto front is taken."""

ABSENT = -1


class Slot(NamedTuple):
    """A place for a pod that can be resized in place: one of several of its target."""

    target: Target
    but_cpu: tuple[tuple[str, int], ...]
    place: int


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Plans:
    """One a row."""

    slots: tuple[Slot, ...]
    millicores: Ints  # by plan and slot; ABSENT where there is no pod
    rps: Floats  # by plan and variant, at full speed
    accuracy: Floats  # by variant, the highest first
    price: Floats  # of a second, by plan

    def __len__(self) -> int:
        return len(self.price)

    def value(self, demand_rps: Floats) -> Floats:
        """By demand and plan: requests a second times their accuracy, as far as the speed goes."""
        return _value(self.rps, self.accuracy, demand_rps)

    def only(self, rows: Ints) -> "Plans":
        return Plans(
            slots=self.slots,
            millicores=self.millicores[rows],
            rps=self.rps[rows],
            accuracy=self.accuracy,
            price=self.price[rows],
        )


class _Choices(NamedTuple):
    """One a row: a set of pods for each of some variants."""

    sets: list[tuple[PodSet, ...]]
    rps: Floats
    amounts: Ints
    price: Floats


def pareto_plans(scenario: Scenario, rates: Floats, cost_weight: float) -> Plans:
    """
    Within the budget, none of which another with as few pods reaches in speed at each accuracy and
    in price; of very many those that are the nearest to the best at one of the rates.
    """
    variants = sorted(scenario.variants, key=lambda variant: -variant.accuracy)
    accuracy = np.array([variant.accuracy for variant in variants])
    column = {variant.name: at for at, variant in enumerate(variants)}
    every = list(_choices(scenario, column))
    rps, price = np.concatenate([c.rps for c in every]), np.concatenate([c.price for c in every])
    amounts = np.concatenate([c.amounts for c in every])
    near = np.sort(np.argsort(_behind(rps, price, accuracy, rates, cost_weight))[:MOST_COMPARED])
    sets = [one for choices in every for one in choices.sets]
    pods = [_pods(sets[row]) for row in near]
    few = np.array([-len(own) for own in pods])  # one pod becomes another size without a start
    better = np.column_stack([np.cumsum(rps[near], axis=1), -amounts[near], -price[near], few])
    kept = undominated(better)
    rows, pods = near[kept], [pods[at] for at in kept]
    slots = tuple(sorted({slot for own in pods for slot in own}))
    return Plans(
        slots=slots,
        millicores=np.array([[own.get(slot, ABSENT) for slot in slots] for own in pods]),
        rps=rps[rows],
        accuracy=accuracy,
        price=price[rows],
    )


def sizes_of(scenario: Scenario, slot: Slot) -> dict[int, Allocation]:
    """What a pod there may be resized to, by millicores."""
    return {
        a.cpu_millicores: a
        for a in scenario.variant(slot.target.variant).allocations
        if a.kind == slot.target.kind and a.size.but_cpu == slot.but_cpu
    }


def _choices(scenario: Scenario, column: dict[str, int]) -> Iterator[_Choices]:
    options = [found for v in scenario.variants if (found := pod_sets(scenario, v))]
    groups = [
        chosen
        for count in range(1, MOST_VARIANTS + 1)
        for chosen in combinations(options, min(count, len(options)))
    ]
    every = 1
    while sum(np.prod([len(some[::every]) for some in chosen]) for chosen in groups) > MOST_CHOICES:
        every += 1
    for chosen in groups:
        yield _within(scenario, [some[::-1][::every] for some in chosen], column)


def _within(scenario: Scenario, options: list[list[PodSet]], column: dict[str, int]) -> _Choices:
    picks = np.indices([len(some) for some in options]).reshape(len(options), -1).T
    amounts = np.zeros((len(picks), len(scenario.budget)), dtype=np.int64)
    for some, pick in zip(options, picks.T, strict=True):
        amounts += np.array([[one.amount(name) for name in scenario.budget] for one in some])[pick]
    fits = (amounts <= list(scenario.budget.values())).all(axis=1)
    picks = picks[fits]
    rps, price = np.zeros((len(picks), len(column))), np.zeros(len(picks))
    for some, pick in zip(options, picks.T, strict=True):
        rps[:, column[some[0].variant]] += np.array([one.rps for one in some])[pick]
        price += np.array([one.price for one in some])[pick]
    sets = [tuple(some[i] for some, i in zip(options, pick, strict=True)) for pick in picks]
    return _Choices(sets, rps, amounts[fits], price)


def _behind(
    rps: Floats, price: Floats, accuracy: Floats, rates: Floats, cost_weight: float
) -> Floats:
    """By how much each is below the best, at the rate at which that is the least."""
    least = np.full(len(price), np.inf)
    for rate in rates:
        worth = _value(rps, accuracy, np.array([rate]))[0] - cost_weight * price
        np.minimum(least, worth.max() - worth, out=least)
    return least


def _value(rps: Floats, accuracy: Floats, demand_rps: Floats) -> Floats:
    left = np.repeat(demand_rps[:, None], len(rps), axis=1)
    found = np.zeros_like(left)
    for variant, own in enumerate(accuracy):
        served = np.minimum(left, rps[None, :, variant])
        found += own * served
        left -= served
    return found


def _pods(sets: tuple[PodSet, ...]) -> dict[Slot, int]:
    found: dict[Slot, int] = {}
    for one in sets:
        for place, pod in enumerate(one.pods):
            slot = Slot(Target(one.variant, pod.kind), pod.size.but_cpu, place)
            found[slot] = pod.cpu_millicores
    return found
