"""
A ladder in one pod: ordinary networks, all in memory, as the operating points of one model.

It needs no training and no special network, only several models of one task. Its memory is the sum
of theirs.
"""

from collections.abc import Callable, Sequence

from infadapter_server.networks.adaptive.points import Point, UnknownPoint
from infadapter_server.networks.signatures import Floats, LoadError, Model
from infadapter_server.networks.stored import Stored

__all__ = ["Ladder", "open_ladder"]


class Ladder:
    """Adaptive network of several models with one signature; a point has its rung's name."""

    def __init__(self, rungs: Sequence[tuple[Point, Model]]) -> None:
        ordered = sorted(rungs, key=lambda rung: rung[0].accuracy)
        self.points = tuple(point for point, _ in ordered)
        self._models = {point.name: model for point, model in ordered}

    @property
    def weights_bytes(self) -> int:
        return sum(model.weights_bytes for model in self._models.values())

    def run(self, batch: Floats, point: str) -> Floats:
        """Raises UnknownPoint."""
        model = self._models.get(point)
        if model is None:
            raise UnknownPoint(point, self.points)
        return model(batch)

    def use_threads(self, threads: int) -> None:
        for model in self._models.values():
            model.use_threads(threads)


def open_ladder(stored: Stored, open_rung: Callable[[Stored], Model]) -> Ladder:
    """Load every rung. Raises LoadError."""
    return Ladder([(_point(stored, rung), open_rung(rung)) for rung in stored.rungs])


def _point(stored: Stored, rung: Stored) -> Point:
    if rung.accuracy is None:
        raise LoadError(
            f"The accuracy of {stored.name}'s rung {rung.name} is not known, so it has no place "
            "among the others: say it in the configuration."
        )
    return Point(rung.name, rung.accuracy, {})
