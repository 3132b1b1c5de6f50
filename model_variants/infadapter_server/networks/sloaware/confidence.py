"""Confidence tables: how likely an answer from few nodes is the full network's, and right.

Agreement with the full network needs no labels. It isn't accuracy: a network that is right in 68 %,
asked for 65 %, may agree in 65 % and be right in half. So agreement is mapped to accuracy by what
labelled inputs, apart from training and test, showed of the full network and where they differ.
"""

from bisect import bisect_left
from dataclasses import dataclass

from infadapter_profiles.isotonic import isotonic


class UnreachableTarget(ValueError):
    """An accuracy above that of the full network; the message says what there is."""


@dataclass(frozen=True, slots=True)
class Accuracy:
    """`full`: the full network's. `drop`: what is lost where another answer differs from its own.

    Where answers differ the full network is often wrong too, so less is lost than its accuracy.
    """

    full: float
    drop: float

    def of(self, agreement: float) -> float:
        return self.full - self.drop * (1 - agreement)


@dataclass(frozen=True, slots=True)
class Table:
    """Settings from cheap to dear (thresholds, shares of nodes), and the accuracy at each."""

    settings: tuple[float, ...]
    accuracies: tuple[float, ...]
    full: float

    @classmethod
    def of(cls, settings: list[float], accuracies: list[float], full: float) -> "Table":
        """What a dearer setting measured worse than a cheaper one is noise."""
        return cls(tuple(settings), tuple(isotonic(accuracies)), full)

    def cheapest(self, target: float) -> float | None:
        """The setting that meets an accuracy on average; None: only the full network does."""
        if target > self.full:
            raise UnreachableTarget(
                f"An accuracy of {target:.4g} is above the full network's {self.full:.4g}: ask "
                "for less, or serve a more accurate network."
            )
        at = bisect_left(self.accuracies, target)
        return self.settings[at] if at < len(self.settings) else None
