"""An operating point: one accuracy and one cost at which a model can answer, chosen per batch."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Point:
    """
    As profiled: top-1 accuracy in percent or as a share (alike for all of a model), and seconds by
    batch size. A point of a ladder has weights of its own, with pages and a load time; those of a
    SuperNet's SubNets are shared, are counted for the model, and are there when it is.
    """

    name: str
    accuracy: float
    execution_s: Mapping[int, float]
    load_s: float = 0.0
    pages: int = 0


def checked(points: Sequence[Point]) -> tuple[Point, ...]:
    """From the least accurate to the most; a point's number is its place in this order."""
    if not points:
        raise ValueError("a model with operating points needs at least one")
    if len({point.name for point in points}) < len(points):
        raise ValueError("two operating points have one name")
    for point in points:
        if 1 not in point.execution_s:
            raise ValueError(f"operating point {point.name} has no time for a batch of one")
    return tuple(sorted(points, key=lambda point: point.accuracy))
