"""Confidence tables: the accuracy of partial computation, and its agreement with the full network.

Agreement with the full network needs no labels. It isn't accuracy: with a full network of 68 %
accuracy and a target of 65 %, 65 % agreement may mean 50 % accuracy. So agreement is mapped to
accuracy by the results on labelled inputs that are in neither training nor test.
"""

from bisect import bisect_left
from dataclasses import dataclass

from infadapter_profiles.isotonic import isotonic


class UnreachableTarget(ValueError):
    """The target exceeds the full network's accuracy; the message gives that."""


@dataclass(frozen=True, slots=True)
class Accuracy:
    """`full`: the full network's accuracy. `drop`: the loss of accuracy per differing answer.

    Where answers differ the full network is often wrong too, so `drop` is less than `full`.
    """

    full: float
    drop: float

    def of(self, agreement: float) -> float:
        return self.full - self.drop * (1 - agreement)


@dataclass(frozen=True, slots=True)
class Table:
    """Settings (thresholds or shares of nodes) by rising cost, and the accuracy at each."""

    settings: tuple[float, ...]
    accuracies: tuple[float, ...]
    full: float

    @classmethod
    def of(cls, settings: list[float], accuracies: list[float], full: float) -> "Table":
        """Make accuracies non-decreasing: a lower one at a higher cost is noise."""
        return cls(tuple(settings), tuple(isotonic(accuracies)), full)

    def cheapest(self, target: float) -> float | None:
        """Return the cheapest setting whose mean accuracy meets `target`.

        None means the full network. Raises UnreachableTarget.
        """
        if target > self.full:
            raise UnreachableTarget(
                f"An accuracy of {target:.4g} is above the full network's {self.full:.4g}: ask "
                "for less, or serve a more accurate network."
            )
        at = bisect_left(self.accuracies, target)
        return self.settings[at] if at < len(self.settings) else None
