"""All combinations that plans consist of: the sets of pods of some variants, and their segments."""

from collections.abc import Iterator, Sequence
from itertools import combinations
from typing import NamedTuple

import numpy as np

from infadapter_profiles.sizes import Segment
from infadapter_simulator.policies.hindsight.pod_sets import PodSet, pod_sets
from infadapter_simulator.scenario import Scenario
from infadapter_simulator.world.queues import Floats, Ints

MOST_VARIANTS = 3
MOST_CHOICES = 400_000
"""Limit on the combinations; beyond it sets of pods are left out evenly."""


class Choices(NamedTuple):
    """One combination per row: a set of pods for each of some variants."""

    sets: list[tuple[PodSet, ...]]
    rps: Floats  # by segment, with the same columns for all choices
    accuracy: Floats
    amounts: Ints
    price: Floats


class Option(NamedTuple):
    """A variant, its possible sets of pods, and the columns of its segments."""

    sets: list[PodSet]
    columns: range


class Columns(NamedTuple):
    """
    The columns of segments: the variant of each, and its accuracy if that is equal for all sizes.
    """

    variant: Ints
    accuracy: Floats


def options_of(scenario: Scenario) -> tuple[list[Option], Columns]:
    """Return the options by variant, the most accurate first."""
    found: list[Option] = []
    owners: list[int] = []
    variants = sorted(scenario.variants, key=lambda variant: -variant.accuracy)
    for at, variant in enumerate(variants):
        sets = pod_sets(scenario, variant)
        most = max((len(one.segments) for one in sets), default=1)
        columns = range(len(owners), len(owners) + most)
        owners += [at] * most
        if sets:
            found.append(Option(sets, columns))
    accuracy = np.array([variants[at].accuracy for at in owners])
    return found, Columns(np.array(owners), accuracy)


def choices_of(
    scenario: Scenario, options: Sequence[Option], columns: Columns
) -> Iterator[Choices]:
    groups = [
        chosen
        for count in range(1, MOST_VARIANTS + 1)
        for chosen in combinations(options, min(count, len(options)))
    ]
    every = 1
    while _count(groups, every) > MOST_CHOICES:
        every += 1
    for chosen in groups:
        thinned = [Option(one.sets[::-1][::every], one.columns) for one in chosen]
        yield _within(scenario, thinned, columns)


def _count(groups: Sequence[Sequence[Option]], every: int) -> int:
    return sum(int(np.prod([len(one.sets[::every]) for one in chosen])) for chosen in groups)


def _within(scenario: Scenario, options: Sequence[Option], columns: Columns) -> Choices:
    picks = np.indices([len(one.sets) for one in options]).reshape(len(options), -1).T
    amounts = np.zeros((len(picks), len(scenario.budget)), dtype=np.int64)
    for some, pick in zip(options, picks.T, strict=True):
        own = [[one.amount(name) for name in scenario.budget] for one in some.sets]
        amounts += np.array(own)[pick]
    fits = (amounts <= list(scenario.budget.values())).all(axis=1)
    picks = picks[fits]
    rps, price = np.zeros((len(picks), len(columns.variant))), np.zeros(len(picks))
    accuracy = np.tile(columns.accuracy, (len(picks), 1))
    for some, pick in zip(options, picks.T, strict=True):
        for number, column in enumerate(some.columns):
            each = [_segment(one, number) for one in some.sets]
            rps[:, column] += np.array([segment.rps for segment in each])[pick]
            accuracy[:, column] = np.array([segment.accuracy for segment in each])[pick]
        price += np.array([one.price for one in some.sets])[pick]
    sets = [tuple(some.sets[i] for some, i in zip(options, pick, strict=True)) for pick in picks]
    return Choices(sets, rps, accuracy, amounts[fits], price)


def _segment(one: PodSet, number: int) -> Segment:
    """Return a segment by number; beyond the last an empty one."""
    return one.segments[number] if number < len(one.segments) else Segment(0.0, 0.0)
