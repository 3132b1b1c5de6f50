"""Resources held by the pods of a run on this machine."""

from collections.abc import Sequence
from dataclasses import dataclass

from infadapter_solver import CPU, Objective
from infadapter_solver.problem import Resources
from infadapter_workload.holding import Level


@dataclass(frozen=True, slots=True, kw_only=True)
class Held:
    """Resources that all pods hold from `at_s` on, until the next entry."""

    at_s: float
    amounts: Resources


def levels(held: Sequence[Held], objective: Objective) -> list[Level]:
    """Return the levels at the prices of the objective."""
    return [
        Level(at_s=h.at_s, millicores=h.amounts.get(CPU, 0), cost=objective.price_of(h.amounts))
        for h in held
    ]
