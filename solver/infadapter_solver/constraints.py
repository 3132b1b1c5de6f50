"""The constraints of the programme, with the names from its statement in `programme`."""

import pulp

from infadapter_solver.candidates import pods_at_hand
from infadapter_solver.objective import ROUNDING
from infadapter_solver.variables import Programme, capacity, unit


def constrain(programme: Programme) -> None:
    _by_target(programme)
    _pods_if_chosen(programme)
    _within_budget(programme)
    model, sizes, wanted = programme.model, programme.sizes, programme.wanted
    model += pulp.lpSum(size.pods for size in sizes) >= wanted.min_replicas, "replicas"
    floor = wanted.floor_rps / programme.unit_rps * (1 - ROUNDING)
    model += capacity(wanted, sizes) >= floor, "floor"
    model += pulp.lpSum(size.chosen for size in sizes) <= programme.problem.max_targets, "targets"
    if programme.problem.objective.loading_weight:
        _loading(programme)


def _by_target(programme: Programme) -> None:
    model, sizes = programme.model, programme.sizes
    for t, target in enumerate(dict.fromkeys(size.target for size in sizes)):
        for serving in programme.serving:
            if serving.target == target:
                model += serving.served <= serving.at_most, f"serve_{serving.index}"
        own = (size.chosen for size in sizes if size.target == target)
        model += pulp.lpSum(own) <= 1, f"one_size_{t}"


def _pods_if_chosen(programme: Programme) -> None:
    """A size has pods if and only if it is chosen."""
    model = programme.model
    for size in programme.sizes:
        if size.chosen is not size.pods:
            model += size.pods <= size.most_pods * size.chosen, f"only_if_{size.index}"
            model += size.pods >= size.chosen, f"some_if_{size.index}"


def _within_budget(programme: Programme) -> None:
    model = programme.model
    for resource, amount in programme.problem.budget.items():
        each = unit(amount)
        used = pulp.lpSum(
            size.allocation.resources.get(resource, 0) / each * size.pods
            for size in programme.sizes
        )
        model += used <= amount / each, f"budget_{resource}"


def _loading(programme: Programme) -> None:
    load_s = {variant.name: variant.load_time_s for variant in programme.problem.variants}
    model = programme.model
    for size in programme.sizes:
        starts = model.add_variable(f"y_{size.index}", cat=pulp.LpBinary)
        at_hand = pods_at_hand(programme.problem, size.target, size.allocation)
        model += size.pods <= at_hand + size.most_pods * starts, f"start_{size.index}"
        model += programme.loading_s >= load_s[size.target.variant] * starts, f"load_{size.index}"
