"""
Allowances: which operating points of a model may serve, and from which accuracy on, for everybody.

A plan changes them while the server runs. They outlive a model's loads and its files, and not the
process: whoever plans says them again.
"""

import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

from infadapter_scheduler import Event, Model, ModelAdded, Point, PointsAllowed
from infadapter_server.networks.adaptive.points import BelowFloor, UnknownPoint, at_least
from infadapter_server.serving.repository import NotServed

__all__ = ["Allowances"]

_log = logging.getLogger(__name__)


@dataclass(slots=True)
class Allowances:
    """`points` are those that the scheduler knows of a model."""

    tell: Callable[[Event], None]
    points: Callable[[str], Sequence[Point]]
    _of: dict[str, PointsAllowed] = field(default_factory=dict)

    def allow(self, name: str, allowed: tuple[str, ...] | None, floor: float) -> None:
        """For whoever comes from now on; None: all points. Raises NotServed."""
        wanted = PointsAllowed(name, allowed, floor)
        try:
            _check(wanted, self.points(name))
        except (UnknownPoint, BelowFloor) as error:
            raise NotServed(400, str(error)) from None
        self._of[name] = wanted
        self.tell(wanted)

    def added(self, model: Model) -> ModelAdded:
        """A model that is to be served anew, as it is allowed to."""
        return ModelAdded(model, self._still(model.name, model.points))

    def loaded(self, name: str) -> None:
        """What was said while it took the place of another one."""
        if (wanted := self._still(name, self.points(name))) is not None:
            self.tell(wanted)

    def described(self, name: str) -> dict[str, Any]:
        """Its points, those that serve whoever asks for no accuracy, and the floor."""
        points, wanted = self.points(name), self._of.get(name, PointsAllowed(name))
        return {
            "points": [{"name": point.name, "accuracy": point.accuracy} for point in points],
            "allowed": [p.name for p in _allowed(points, wanted) if p.accuracy >= wanted.floor],
            "floor": wanted.floor,
        }

    def _still(self, name: str, points: Sequence[Point]) -> PointsAllowed | None:
        """As it was said; a first load only tells which points there are."""
        wanted = self._of.get(name)
        if wanted is None or not points:
            return None
        try:
            _check(wanted, points)
        except (UnknownPoint, BelowFloor) as error:
            _log.warning("All points of %s are allowed again. %s", name, error)
            del self._of[name]
            return None
        return wanted


def _check(wanted: PointsAllowed, points: Sequence[Point]) -> None:
    """Raises UnknownPoint and BelowFloor."""
    there = {point.name for point in points}
    for name in wanted.points or ():
        if name not in there:
            raise UnknownPoint(name, points)
    at_least(_allowed(points, wanted), wanted.floor)


def _allowed(points: Sequence[Point], wanted: PointsAllowed) -> list[Point]:
    return [point for point in points if wanted.points is None or point.name in wanted.points]
