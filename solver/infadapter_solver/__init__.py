"""The optimisation problem and its solution; knows neither Kubernetes nor the network."""

from infadapter_solver.check import InvalidProblem
from infadapter_solver.problem import (
    CPU,
    Allocation,
    Amounts,
    Plan,
    PodGroup,
    Problem,
    Target,
    Variant,
)
from infadapter_solver.solve import Method, solve
from infadapter_solver.value import broken, evaluate, score, starts

__all__ = [
    "CPU",
    "Allocation",
    "Amounts",
    "InvalidProblem",
    "Method",
    "Plan",
    "PodGroup",
    "Problem",
    "Target",
    "Variant",
    "broken",
    "evaluate",
    "score",
    "solve",
    "starts",
]
