"""The plans that a schedule consists of: those not dominated by another for any load."""

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from infadapter_simulator.policies.hindsight.choices import choices_of, options_of
from infadapter_simulator.policies.hindsight.pod_sets import PodSet
from infadapter_simulator.scenario import Scenario
from infadapter_simulator.world.queues import Floats, Ints
from infadapter_solver import Allocation, Target
from infadapter_solver.exact.pareto import undominated

MOST_COMPARED = 4_000
"""Number of plans nearest to the best at some rate, of which the Pareto front is computed."""

MOST_RATES = 12
"""Number of rates at which plans with segments of different accuracies are compared."""

ABSENT = -1


class Slot(NamedTuple):
    """A place for a pod that can be resized in place; a target may have several."""

    target: Target
    but_cpu: tuple[tuple[str, int], ...]
    place: int


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Plans:
    """One plan per row."""

    slots: tuple[Slot, ...]
    millicores: Ints  # by plan and slot; ABSENT where there is no pod
    rps: Floats  # by plan and segment, at full speed
    accuracy: Floats  # likewise, falling
    variant: Ints  # likewise, index of the variant by falling accuracy
    price: Floats  # per second, by plan

    def __len__(self) -> int:
        return len(self.price)

    def value(self, demand_rps: Floats) -> Floats:
        """
        Return requests per second times accuracy, up to the plan's capacity, by demand and plan.
        """
        return _value(self.rps, self.accuracy, demand_rps)

    def only(self, rows: Ints) -> "Plans":
        return Plans(
            slots=self.slots,
            millicores=self.millicores[rows],
            rps=self.rps[rows],
            accuracy=self.accuracy[rows],
            variant=self.variant[rows],
            price=self.price[rows],
        )


def pareto_plans(scenario: Scenario, rates: Floats, cost_weight: float) -> Plans:
    """
    Return the plans within the budget that no plan with as few pods matches in capacity at each
    accuracy and in price; of very many, those nearest to the best at one of the rates.
    """
    options, columns = options_of(scenario)
    every = list(choices_of(scenario, options, columns))
    price = np.concatenate([c.price for c in every])
    amounts = np.concatenate([c.amounts for c in every])
    accuracy = np.concatenate([c.accuracy for c in every])
    falling = np.argsort(-accuracy, axis=1, kind="stable")
    accuracy = np.take_along_axis(accuracy, falling, axis=1)
    rps = np.take_along_axis(np.concatenate([c.rps for c in every]), falling, axis=1)
    near = np.sort(np.argsort(_behind(rps, price, accuracy, rates, cost_weight))[:MOST_COMPARED])
    sets = [one for choices in every for one in choices.sets]
    pods = [_pods(sets[row]) for row in near]
    few = np.array([-len(own) for own in pods])  # a single pod changes its size without a start
    better = np.column_stack(
        [_faster(rps[near], accuracy[near], rates), -amounts[near], -price[near], few]
    )
    kept = undominated(better)
    rows, pods = near[kept], [pods[at] for at in kept]
    slots = tuple(sorted({slot for own in pods for slot in own}))
    return Plans(
        slots=slots,
        millicores=np.array([[own.get(slot, ABSENT) for slot in slots] for own in pods]),
        rps=rps[rows],
        accuracy=accuracy[rows],
        variant=columns.variant[falling[rows]],
        price=price[rows],
    )


def _faster(rps: Floats, accuracy: Floats, rates: Floats) -> Floats:
    """
    Return columns in which more is better: capacity at each accuracy or, for segments of different
    accuracies, the plans' values at some rates.
    """
    if (accuracy == accuracy[0]).all():
        return np.cumsum(rps, axis=1)
    return _value(rps, accuracy, rates[:: max(1, len(rates) // MOST_RATES)]).T


def sizes_of(scenario: Scenario, slot: Slot) -> dict[int, Allocation]:
    """Return the sizes of a pod in the slot, by millicores."""
    return {
        a.cpu_millicores: a
        for a in scenario.variant(slot.target.variant).allocations
        if a.kind == slot.target.kind and a.size.but_cpu == slot.but_cpu
    }


def _behind(
    rps: Floats, price: Floats, accuracy: Floats, rates: Floats, cost_weight: float
) -> Floats:
    """Return each plan's smallest distance to the best plan over all rates."""
    least = np.full(len(price), np.inf)
    for rate in rates:
        worth = _value(rps, accuracy, np.array([rate]))[0] - cost_weight * price
        np.minimum(least, worth.max() - worth, out=least)
    return least


def _value(rps: Floats, accuracy: Floats, demand_rps: Floats) -> Floats:
    left = np.repeat(demand_rps[:, None], len(rps), axis=1)
    found = np.zeros_like(left)
    for segment in range(rps.shape[1]):
        served = np.minimum(left, rps[None, :, segment])
        found += accuracy[None, :, segment] * served
        left -= served
    return found


def _pods(sets: tuple[PodSet, ...]) -> dict[Slot, int]:
    found: dict[Slot, int] = {}
    for one in sets:
        for place, pod in enumerate(one.pods):
            slot = Slot(Target(one.variant, pod.kind), pod.size.but_cpu, place)
            found[slot] = pod.cpu_millicores
    return found
