"""
Accuracy floors of requests: fractions, from headers or request parameters.

The strictest applies, as with deadlines: a router adds its service's floor to the client's, and
neither lowers the other. Only a network with operating points can choose; any other answers with
its own accuracy.
"""

from collections.abc import Sequence

from infadapter_profiles import wire
from infadapter_scheduler.points import Point
from infadapter_server.networks.adaptive.points import BelowFloor, at_least
from infadapter_server.serving.heads import number_in
from infadapter_server.serving.oip.fields import shown
from infadapter_server.serving.protocol import BadTensor

__all__ = ["check_floor", "floor_of"]


def floor_of(header: bytes | None, parameter: object) -> float:
    """Return the floor, 0 if none is given. Raises BadTensor."""
    asked = 0.0 if header is None else _header(header)
    return asked if parameter is None else max(asked, _parameter(parameter))


def check_floor(points: Sequence[Point], floor: float) -> None:
    """Raise BadTensor if no point reaches the floor, which no retry can change."""
    if not points or floor <= points[-1].accuracy:
        return
    try:
        at_least(points, floor)
    except BelowFloor as error:
        raise BadTensor(str(error)) from None


def _header(header: bytes) -> float:
    given = [number_in(one) for one in header.split(b",")]
    if not all(0 <= floor <= 1 for floor in given):
        raise BadTensor(f"{wire.FLOOR_HEADER} must be a fraction from 0 to 1.")
    return max(given)


def _parameter(given: object) -> float:
    if isinstance(given, bool) or not isinstance(given, int | float) or not 0 <= given <= 1:
        raise BadTensor(
            f"The parameter accuracy_floor is {shown(given)}; it must be a fraction from 0 to 1."
        )
    return float(given)
