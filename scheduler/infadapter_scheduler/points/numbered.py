"""The numbering of a model's operating points."""

from collections.abc import Sequence

from infadapter_profiles.points import Point


def checked(points: Sequence[Point]) -> tuple[Point, ...]:
    """Return the points from least to most accurate; a point's number is its index."""
    if not points:
        raise ValueError("a model with operating points needs at least one")
    if len({point.name for point in points}) < len(points):
        raise ValueError("two operating points have one name")
    for point in points:
        if 1 not in point.execution_s:
            raise ValueError(f"operating point {point.name} has no time for a batch of one")
    return tuple(sorted(points, key=lambda point: point.accuracy))
