"""
Adaptive networks: accuracy and cost are chosen for every batch, by the name of an operating point.

What a SuperNet, a ladder of ordinary networks and a user's own early-exit network have in common.
Nothing here imports torch.
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
        """From the least accurate to the most; `execution_s` as estimated, or empty: each load
        measures them anew."""
        ...

    @property
    def weights_bytes(self) -> int:
        """What all points together hold in memory."""
        ...

    def run(self, batch: Floats, point: str) -> Floats:
        """Answer a batch at this point; RuntimeError says that this batch cannot be computed."""
        ...

    def use_threads(self, threads: int) -> None:
        """Compute with this many threads from now on."""
        ...


class UnknownPoint(LookupError):
    """There is no operating point of this name; the message names those that there are."""

    def __init__(self, name: str, points: Iterable[Point]) -> None:
        there = ", ".join(point.name for point in points)
        rest = f"there are {there}" if there else "this network has none"
        super().__init__(f"There is no operating point {name[:80]!r}: {rest}.")


class BelowFloor(LookupError):
    """No point is as accurate as is asked for; the message names the best."""


def at_least(points: Sequence[Point], floor: float) -> tuple[Point, ...]:
    """Those that may serve a request that asks for an accuracy. Raises BelowFloor."""
    enough = tuple(point for point in points if point.accuracy >= floor)
    if not enough:
        best = max(points, key=lambda point: point.accuracy)
        raise BelowFloor(
            f"An accuracy of {floor:g} is above that of the best operating point, {best.name} "
            f"with {best.accuracy:g}: ask for less, or serve a more accurate network."
        )
    return enough


def check_points(name: str, points: Sequence[Point]) -> None:
    """Raises LoadError where a network's points can't be told apart, or are in no order."""
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
    """Profiles keep it, and the command line lists several with commas."""
    return (
        isinstance(name, str)
        and 1 <= len(name) <= MOST_NAME_LETTERS
        and name.isprintable()
        and not set(name) & {",", " "}
    )


def check_profiled(name: str, profiled: Iterable[str], points: Sequence[Point]) -> None:
    """Raises LoadError where a profile is of other points than the network has."""
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
