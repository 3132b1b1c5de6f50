"""
Let the searches on one server take their windows in turns, in random order.

Each search then sees the machine over the whole time instead of its own part of it, and all windows
together show how the machine's speed drifts.
"""

import math
import random
from collections.abc import Sequence

from infadapter_profiles.profile import KnownCapacity
from infadapter_server.profiling.crossing import Window
from infadapter_server.profiling.drift import Speed, between_runs
from infadapter_server.profiling.search import Search
from infadapter_server.profiling.steps import PARTS


async def in_turns(
    searches: Sequence[Search], seed: int
) -> tuple[list[KnownCapacity], float | None]:
    """
    Return the capacities, and half of the 95 % interval of the next run's mean speed, of the
    logarithm, if it can be estimated. Raises SearchError.
    """
    for search in searches:
        await search.begin()
    turns = random.Random(seed)
    speeds: list[Speed] = []
    while waiting := [search for search in searches if search.left]:
        for search in turns.sample(waiting, len(waiting)):
            began_s = _spent_s(searches)
            window = await search.take()
            speeds += _speeds(window, began_s, _spent_s(searches))
    windows = sum(len(search.windows) for search in searches)
    drift = between_runs(speeds, _spent_s(searches), windows)
    return [search.found(drift) for search in searches], drift


def _spent_s(searches: Sequence[Search]) -> float:
    return sum(search.spent_s for search in searches)


def _speeds(window: Window, began_s: float, ended_s: float) -> list[Speed]:
    part_s = (ended_s - began_s) / PARTS
    return [
        Speed(began_s + (part + 0.5) * part_s, -math.log(alone_s))
        for part, alone_s in enumerate(window.seen.alone_s)
        if alone_s
    ]
