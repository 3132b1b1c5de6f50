"""
The steps that lead from the running pods to the plan.

A step is small and idempotent, and does not say how a platform carries it out. A rollout returns
the steps that may be taken now; the rest follow in later cycles once these have taken effect.
"""

from collections.abc import Iterable
from dataclasses import dataclass

from infadapter_solver.problem import PodSize, Target


@dataclass(frozen=True, slots=True, kw_only=True)
class ScaleUp:
    """Run `pods` pods of the target. The first pod starts at this size."""

    target: Target
    size: PodSize
    pods: int


@dataclass(frozen=True, slots=True, kw_only=True)
class ResizePod:
    """Give a running pod this size, without a restart."""

    pod: str
    target: Target
    size: PodSize


@dataclass(frozen=True, slots=True, kw_only=True)
class ReplacePods:
    """
    Replace all pods by new ones of this size, gated by readiness, because a resize was refused or
    never came into force; also if new pods have this size already.
    """

    target: Target
    size: PodSize
    pods: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Backend:
    """A pod that may receive traffic, with its whole-number weight (0: drain it)."""

    pod: str
    target: Target
    address: str
    weight: int
    accuracy_floor: float = 0.0  # sent by the router with every request


def weights_of(backends: Iterable[Backend]) -> dict[str, int]:
    """Return the weights by pod."""
    return {backend.pod: backend.weight for backend in backends}


@dataclass(frozen=True, slots=True, kw_only=True)
class SetWeights:
    """Send traffic to these pods in these proportions, and to no others."""

    backends: tuple[Backend, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class RemovePods:
    """Remove exactly these pods, to which the router no longer sends; `remaining` pods stay."""

    target: Target
    pods: tuple[str, ...]
    remaining: int


Step = ScaleUp | ResizePod | ReplacePods | SetWeights | RemovePods
