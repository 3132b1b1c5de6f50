"""
The steps that lead from what runs to what is planned.

A step is small, idempotent and says nothing of how a platform takes it. A rollout gives those that
may be taken now; the rest follow in a later cycle, when these have had their effect.
"""

from collections.abc import Iterable
from dataclasses import dataclass

from infadapter_solver.problem import PodSize, Target


@dataclass(frozen=True, slots=True, kw_only=True)
class ScaleUp:
    """Have `pods` pods of the target. Where none runs yet, they start at this size."""

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
    Have new pods of this size in place of all there are, readiness-gated: a resize was
    refused or never came. Also where new pods come up at this size already.
    """

    target: Target
    size: PodSize
    pods: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Backend:
    """A pod that may get traffic, with its whole-number weight (0: drain it)."""

    pod: str
    target: Target
    address: str
    weight: int
    accuracy_floor: float = 0.0  # that its router asks of it with every request


def weights_of(backends: Iterable[Backend]) -> dict[str, int]:
    """By pod."""
    return {backend.pod: backend.weight for backend in backends}


@dataclass(frozen=True, slots=True, kw_only=True)
class SetWeights:
    """Send traffic to these pods, in these proportions, and to no other."""

    backends: tuple[Backend, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class RemovePods:
    """Stop exactly these pods, which the router no longer sends to; leave `remaining` of them."""

    target: Target
    pods: tuple[str, ...]
    remaining: int


Step = ScaleUp | ResizePod | ReplacePods | SetWeights | RemovePods
