"""
Adaptive networks: accuracy and cost are chosen for every batch, by the name of an operating point.

This is the interface of SuperNets, ladders of ordinary networks and users' own networks, such as
early-exit ones. Nothing here imports torch.
"""

from collections.abc import Iterable, Sequence
from typing import Protocol, runtime_checkable

from infadapter_profiles.points import MOST_NAME_LETTERS, Point
from infadapter_server.networks.signatures import Floats, LoadError

__all__ = [
    "AdaptiveNetwork",
    "BelowFloor",
    "Point",
    "UnknownPoint",
    "at_least",
    "check_points",
    "check_profiled",
]


@runtime_checkable
class AdaptiveNetwork(Protocol):
    """A loaded network with operating points. Its methods are called from one thread only."""

    @property
    def points(self) -> Sequence[Point]:
        """Points by rising accuracy. `execution_s` is an estimate or empty, since each load
        measures it."""
        ...

    @property
    def weights_bytes(self) -> int:
        """Memory of all points together, in bytes."""
        ...

    def run(self, batch: Floats, point: str) -> Floats:
        """Return the answers to a batch. Raises RuntimeError if it can't compute this batch."""
        ...

    def use_threads(self, threads: int) -> None:
        """Compute with this many threads from now on."""
        ...


class UnknownPoint(LookupError):
    """No operating point has this name; the message lists the known ones."""

    def __init__(self, name: str, points: Iterable[Point]) -> None:
        there = ", ".join(point.name for point in points)
        rest = f"there are {there}" if there else "this network has none"
        super().__init__(f"There is no operating point {name[:80]!r}: {rest}.")


class BelowFloor(LookupError):
    """No point reaches the requested accuracy; the message names the best."""


def at_least(points: Sequence[Point], floor: float) -> tuple[Point, ...]:
    """Return the points at or above an accuracy floor. Raises BelowFloor if there are none."""
    enough = tuple(point for point in points if point.accuracy >= floor)
    if not enough:
        best = max(points, key=lambda point: point.accuracy)
        raise BelowFloor(
            f"An accuracy of {floor:g} is above that of the best operating point, {best.name} "
            f"with {best.accuracy:g}: ask for less, or serve a more accurate network."
        )
    return enough


def check_points(name: str, points: Sequence[Point]) -> None:
    """Raise LoadError unless points have valid, distinct names and accuracies from 0 to 1."""
    names = [point.name for point in points]
    if not names:
        raise LoadError(f"{name} has no operating points: give it at least one.")
    for unfit in (each for each in names if not _is_name(each)):
        raise LoadError(
            f"{name} has an operating point called {str(unfit)[:80]!r}: a name has 1 to "
            f"{MOST_NAME_LETTERS} printable characters, and neither commas nor spaces."
        )
    if len(set(names)) < len(names):
        twice = next(each for each in names if names.count(each) > 1)
        raise LoadError(f"{name} has two operating points of the name {twice!r}: rename one.")
    wrong = [point for point in points if not 0 <= point.accuracy <= 1]
    if wrong:
        raise LoadError(
            f"{name}'s operating point {wrong[0].name} has the accuracy {wrong[0].accuracy:g}: "
            "it must be a fraction from 0 to 1."
        )


def _is_name(name: object) -> bool:
    """Whether profiles can store the name and the command line can list it between commas."""
    return (
        isinstance(name, str)
        and 1 <= len(name) <= MOST_NAME_LETTERS
        and name.isprintable()
        and not set(name) & {",", " "}
    )


def check_profiled(name: str, profiled: Iterable[str], points: Sequence[Point]) -> None:
    """Raise LoadError if the profile's points differ from the network's."""
    known, there = set(profiled), {point.name for point in points}
    if known == there:
        return
    unknown, missing = sorted(known - there), sorted(there - known)
    what = " and ".join(
        f"{said} {', '.join(names)}"
        for said, names in (("knows", unknown), ("lacks", missing))
        if names
    )
    raise LoadError(
        f"The profile of {name} doesn't match its operating points: it {what}. Profile it again."
    )
