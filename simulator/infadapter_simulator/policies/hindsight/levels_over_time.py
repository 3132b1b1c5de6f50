"""The dynamic programme of one variant: its level at each second, for given prices."""

import numpy as np
from numpy.typing import NDArray

from infadapter_simulator.compiled import compiled
from infadapter_simulator.world.queues import Floats, Ints

Shorts = NDArray[np.int16]


@compiled
def best_levels(
    gain: Floats,  # by second and operating point, the gain per request served
    rps: Floats,  # by operating point and level; level 0 is nothing
    unit: Floats,  # by second and level, the cost of holding it
    early: Floats,  # the same before it serves
    grow_s: float,
    start_s: float,
) -> tuple[float, Ints]:
    """Return the maximal total value, and the levels. Shrinking costs nothing."""
    seconds, levels = len(gain), rps.shape[1]
    best = np.zeros(levels)
    came = np.zeros((seconds, levels), dtype=np.int16)  # the previous level
    for second in range(seconds):
        if second:
            _shrunk(best, came[second])
            _grown(best, came[second], early[second], grow_s, start_s)
        best += _worth(gain[second], rps) - unit[second]
    held = np.zeros(seconds, dtype=np.int64)
    held[-1] = np.argmax(best)
    for second in range(seconds - 1, 0, -1):
        held[second - 1] = came[second, held[second]]
    return best.max(), held


@compiled
def _worth(gain: Floats, rps: Floats) -> Floats:
    """
    Return the value by level with the most valuable point; no mixture of points is worth more.
    """
    found: Floats = gain[0] * rps[0]
    for point in range(1, len(gain)):
        found = np.maximum(found, gain[point] * rps[point])
    return found


@compiled
def _shrunk(best: Floats, came: Shorts) -> None:
    """Update each level's value for a change from a higher level."""
    came[-1] = len(best) - 1
    for level in range(len(best) - 2, -1, -1):
        came[level] = level
        if best[level + 1] > best[level]:
            best[level] = best[level + 1]
            came[level] = came[level + 1]


@compiled
def _grown(best: Floats, came: Shorts, early: Floats, grow_s: float, start_s: float) -> None:
    """Update each level's value for a change from a lower level, which is held before it serves."""
    for level in range(1, len(best)):
        held_s = start_s if level == 1 else grow_s
        worth = best[level - 1] - held_s * (early[level] - early[level - 1])
        if worth > best[level]:
            best[level] = worth
            came[level] = came[level - 1]
