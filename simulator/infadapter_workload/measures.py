"""The measures of a run, as docs/design.md defines them: one definition for every platform."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Shares:
    """Shares of all requests that arrived."""

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
    """
    Return the shares. `accuracy_in_time` is the sum over answers in time; a request without one
    counts as wrong.
    """
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
    Return InfAdapter's objective of a run. Loading has no term of its own, because it shows as
    lateness and as pods held twice.
    """
    return accuracy_weight * effective_accuracy - cost_weight * mean_cost / (budget_cost or 1.0)
