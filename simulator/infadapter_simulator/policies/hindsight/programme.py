"""The dynamic programme over time: its states are plans, its transitions the moves between them."""

import numpy as np

from infadapter_simulator.compiled import compiled
from infadapter_simulator.policies.hindsight.moves import Moves
from infadapter_simulator.world.queues import Floats, Ints

NEVER = -1e300


def best_path(worth: Floats, moves: Moves, cost_weight: float, begin: int | None) -> Ints:
    """
    Return the plan of each step that maximises the value of all steps minus the cost of the moves.
    `worth` is by step and plan; `begin` is the plan of step 0, or None for any. A decision at the
    start is in force after two steps at the earliest.
    """
    first = np.full(worth.shape[1], NEVER)
    if begin is None:
        first[:] = worth[0]
    else:
        first[begin] = worth[0, begin]
    cost = cost_weight * moves.cost
    return np.asarray(
        _path(worth, first, moves.first, moves.source, moves.before, moves.after, cost)
    )


@compiled
def _path(
    worth: Floats,
    begin: Floats,
    first: Ints,
    source: Ints,
    before: Ints,
    after: Ints,
    cost: Floats,
) -> Ints:
    steps, plans = worth.shape
    until = np.zeros((steps + 1, plans))  # value of all earlier steps
    best = np.full((steps, plans), NEVER)
    by = np.full((steps, plans), -1, dtype=np.int64)
    # Plan by plan: for rows of arrays compilation takes twice as long.
    for plan in range(plans):
        best[0, plan] = begin[plan]
        for t in range(steps):
            until[t + 1, plan] = until[t, plan] + worth[t, plan]
    for t in range(1, steps):
        for goal in range(plans):
            top = best[t - 1, goal]
            for move in range(first[goal], first[goal + 1]):
                changed = t - after[move]
                left = changed - before[move]
                if left < 1:
                    continue
                p = source[move]
                value = best[left, p] - cost[move]
                value += until[changed, p] - until[left + 1, p]
                value += until[t, goal] - until[changed, goal]
                if value > top:
                    top = value
                    by[t, goal] = move
            best[t, goal] = top + worth[t, goal]
    return _traced(best, by, source, before, after)


@compiled
def _traced(best: Floats, by: Ints, source: Ints, before: Ints, after: Ints) -> Ints:
    steps = len(best)
    path = np.zeros(steps, dtype=np.int64)
    t = steps - 1
    plan = np.argmax(best[t])
    while True:
        path[t] = plan
        if t == 0:
            return path
        move = by[t, plan]
        if move < 0:
            t -= 1
            continue
        changed = t - after[move]
        path[changed:t] = plan
        t = changed - before[move]
        plan = source[move]
        path[t:changed] = plan
