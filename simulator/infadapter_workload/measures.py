"""What a run is measured by, as docs/design.md defines it: one definition for every platform."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Shares:
    """Of all requests that arrived."""

    effective_accuracy: float
    late: float
    refused: float
    failed: float

    @property
    def violations(self) -> float:
        return self.late + self.refused + self.failed


def shares(
    arrived: int, *, accuracy_in_time: float, late: int, refused: int, failed: int
) -> Shares:
    """`accuracy_in_time` is the sum over the answers in time; a request without one is wrong."""
    of = max(1, arrived)
    return Shares(
        effective_accuracy=accuracy_in_time / of,
        late=late / of,
        refused=refused / of,
        failed=failed / of,
    )


def objective(
    effective_accuracy: float,
    mean_cost: float,
    *,
    budget_cost: float,
    accuracy_weight: float,
    cost_weight: float,
) -> float:
    """
    InfAdapter's objective of what came out. Loading has no term of its own, since it shows as
    lateness and as pods held twice.
    """
    return accuracy_weight * effective_accuracy - cost_weight * mean_cost / (budget_cost or 1.0)
