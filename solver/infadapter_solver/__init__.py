"""The optimisation problem and its solution. Independent of Kubernetes and of any network."""

from infadapter_profiles.capacity import (
    LatencyNotMeasured,
    NotMeasured,
    PercentileNotMeasured,
    capacity_at,
    expected_latency_s,
)
from infadapter_profiles.offered import offered, to_variant
from infadapter_profiles.profile import KnownCapacity, Point, Profile, ProfiledAllocation
from infadapter_solver.answered import expected_points
from infadapter_solver.check import InvalidProblem
from infadapter_solver.exact.tables import TooLarge
from infadapter_solver.left_out import below_floor, left_out
from infadapter_solver.objective import broken, evaluate, score, starts
from infadapter_solver.problem import (
    CPU,
    Allocation,
    Objective,
    Plan,
    PodGroup,
    PodSize,
    Problem,
    Resources,
    Target,
    Variant,
)
from infadapter_solver.solve import (
    Binding,
    Method,
    binding_of,
    binding_sentence,
    is_unbeaten,
    solve,
)

__all__ = [
    "CPU",
    "Allocation",
    "Binding",
    "InvalidProblem",
    "KnownCapacity",
    "LatencyNotMeasured",
    "Method",
    "NotMeasured",
    "Objective",
    "PercentileNotMeasured",
    "Plan",
    "PodGroup",
    "PodSize",
    "Point",
    "Problem",
    "Profile",
    "ProfiledAllocation",
    "Resources",
    "Target",
    "TooLarge",
    "Variant",
    "below_floor",
    "binding_of",
    "binding_sentence",
    "broken",
    "capacity_at",
    "evaluate",
    "expected_latency_s",
    "expected_points",
    "is_unbeaten",
    "left_out",
    "offered",
    "score",
    "solve",
    "starts",
    "to_variant",
]
