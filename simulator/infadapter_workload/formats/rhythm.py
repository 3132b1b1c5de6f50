"""Detect evenly spaced rows: numbers of requests are written at an even pace, requests are not."""

from collections.abc import Sequence
from itertools import pairwise

from infadapter_workload.formats.dates import Clock
from infadapter_workload.formats.moments import SECOND_NS


def in_steps(times: Sequence[str], clock: Clock) -> bool:
    """
    Whether most rows are the same number of whole seconds after the one before, as times of single
    requests are not.
    """
    moments = [moment for time in times if (moment := moment_or_none(time, clock)) is not None]
    steps = [abs(later - earlier) for earlier, later in pairwise(moments)]
    if len(steps) > 2 and min(steps) >= SECOND_NS and max(steps) < 1.5 * min(steps):
        return True  # or nearly so, as recorded by a loop
    if not all(step > 0 and step % SECOND_NS == 0 for step in steps):
        return False
    if len(moments) == 1 and moments[0] % SECOND_NS:
        return False
    return not steps or 2 * steps.count(min(steps)) >= len(steps)


def moment_or_none(text: str, clock: Clock) -> int | None:
    try:
        return clock.ns(text)
    except ValueError:
        return None
