"""What the pods of a run on this machine held, by resource."""

from collections.abc import Sequence
from dataclasses import dataclass

from infadapter_solver import CPU, Objective
from infadapter_solver.problem import Resources
from infadapter_workload.holding import Level


@dataclass(frozen=True, slots=True, kw_only=True)
class Held:
    """Resources that all pods held from `at_s` on, until the next of these."""

    at_s: float
    amounts: Resources


def levels(held: Sequence[Held], objective: Objective) -> list[Level]:
    """At the prices of whoever judges the run."""
    return [
        Level(at_s=h.at_s, millicores=h.amounts.get(CPU, 0), cost=objective.price_of(h.amounts))
        for h in held
    ]
