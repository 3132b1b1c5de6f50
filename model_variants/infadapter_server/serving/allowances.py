"""
Allowances: the operating points of a model that may serve, and the accuracy floor, for all
requests.

A plan changes them while the server runs. They survive reloads of the model and its files, but not
the process: the planner sends them again.
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
    """The allowances by model. `points` returns the points that the scheduler knows."""

    tell: Callable[[Event], None]
    points: Callable[[str], Sequence[Point]]
    _of: dict[str, PointsAllowed] = field(default_factory=dict)

    def allow(self, name: str, allowed: tuple[str, ...] | None, floor: float) -> None:
        """Restrict new requests of a model; `allowed=None` means all points. Raises NotServed."""
        wanted = PointsAllowed(name, allowed, floor)
        try:
            _check(wanted, self.points(name))
        except (UnknownPoint, BelowFloor) as error:
            raise NotServed(400, str(error)) from None
        self._of[name] = wanted
        self.tell(wanted)

    def added(self, model: Model) -> ModelAdded:
        """Return the registration of a model with its allowances."""
        return ModelAdded(model, self._still(model.name, model.points))

    def loaded(self, name: str) -> None:
        """Apply what was requested while the model replaced another."""
        if (wanted := self._still(name, self.points(name))) is not None:
            self.tell(wanted)

    def described(self, name: str) -> dict[str, Any]:
        """Return the points, those that serve a request without a floor, and the floor."""
        points, wanted = self.points(name), self._of.get(name, PointsAllowed(name))
        return {
            "points": [{"name": point.name, "accuracy": point.accuracy} for point in points],
            "allowed": [p.name for p in _allowed(points, wanted) if p.accuracy >= wanted.floor],
            "floor": wanted.floor,
        }

    def _still(self, name: str, points: Sequence[Point]) -> PointsAllowed | None:
        """Return the allowance as requested; which points exist is known after the first load."""
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
    """Raise UnknownPoint or BelowFloor."""
    there = {point.name for point in points}
    for name in wanted.points or ():
        if name not in there:
            raise UnknownPoint(name, points)
    at_least(_allowed(points, wanted), wanted.floor)


def _allowed(points: Sequence[Point], wanted: PointsAllowed) -> list[Point]:
    return [point for point in points if wanted.points is None or point.name in wanted.points]
