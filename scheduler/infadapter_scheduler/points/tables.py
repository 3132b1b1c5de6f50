"""Tables that a policy computes from a model's points, recomputed when estimates change."""

from collections.abc import Callable, Hashable, Sequence
from typing import Generic, TypeVar

from infadapter_scheduler.points.policy import Situation, Timed

Table = TypeVar("Table")

MOST = 1024


class Tables(Generic[Table]):
    """Cache by model, least allowed point and further parameters."""

    def __init__(self, make: Callable[..., Table]) -> None:
        self._make = make
        self._known: dict[Hashable, tuple[Sequence[Timed], Table]] = {}

    def of(self, situation: Situation, *depends_on: Hashable) -> Table:
        points = situation.points
        key = (situation.model, points[0].number, *depends_on)
        known = self._known.get(key)
        if known is None or known[0] is not points:
            if len(self._known) >= MOST:
                self._known.clear()
            known = self._known[key] = (points, self._make(points, *depends_on))
        return known[1]
