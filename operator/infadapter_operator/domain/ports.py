"""
What the loop asks of a platform. Kubernetes, local processes and the simulator satisfy these
structurally; none of them is imported here. An instance serves one InferenceService.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar, Protocol

from infadapter_operator.domain.error_budget import Answers
from infadapter_operator.domain.load import Delivered, History
from infadapter_operator.domain.observed import Observed, RouterView
from infadapter_operator.domain.steps import (
    RemovePods,
    ReplacePods,
    ResizePod,
    ScaleUp,
    SetWeights,
)


class StepRefused(Exception):
    """A step could not be taken; the sentence says why. It is tried again at the next cycle."""

    reason: ClassVar[str] = "StepRefused"


class QuotaExceeded(StepRefused):
    reason = "QuotaExceeded"


class ResizeInfeasible(StepRefused):
    """The node can never hold this size; the pods are replaced instead."""

    reason = "ResizeInfeasible"


class Conflict(StepRefused):
    """Another controller owns the field."""

    reason = "Conflict"


class PlatformUnavailable(Exception):
    """The API server (or Envoy, or the process table) did not answer; nothing is known."""

    reason: ClassVar[str] = "PlatformUnavailable"


class LoadSource(Protocol):
    async def history(self, window_s: float, now_s: float) -> History:
        """
        Arrivals per second over the last `window_s`; raises a LoadError if there are none. The last
        hour is as fine as it was measured.
        """
        ...

    async def delivered(self, window_s: float, now_s: float) -> Mapping[str, Delivered]:
        """
        By pod name, what it was sent within the last `window_s`, or somewhat longer, and what of
        that it missed: refusals, and answers later than the SLO when they were given. Pods of which
        nobody counts that are left out, and those that fail at much of it; raises nothing, as no
        plan waits for this.

        On one machine only those with operating points are counted, for how accurate they were: its
        router counts refusals by pod but not how late an answer is, to read every server's metrics
        takes CPU from what is measured, and a run of minutes is too short to learn from.
        """
        ...

    async def answers(self, window_s: float, now_s: float) -> tuple[Answers, ...] | None:
        """
        What became of the requests of the last `window_s`, by interval, the oldest first; intervals
        of which not all is known yet are left out. None where it can't be known now; raises
        nothing, as no plan waits for this.
        """
        ...


class Cluster(Protocol):
    """
    Pods come of a target's template, which is of the size of its first pod and follows only where
    none of its pods runs. ReplacePods changes it and replaces all there are, one more at a time.
    """

    async def observe(self, now_s: float) -> Observed:
        """The pods there are; what the router says is left out. Raises PlatformUnavailable."""
        ...

    async def take(self, step: ScaleUp | ResizePod | ReplacePods | RemovePods) -> None:
        """Raises StepRefused or PlatformUnavailable."""
        ...


class Router(Protocol):
    async def view(self) -> RouterView:
        """What it obeys, and what it may. Raises PlatformUnavailable."""
        ...

    async def set_weights(self, step: SetWeights) -> None:
        """Raises StepRefused or PlatformUnavailable, also where it may have been told."""
        ...


@dataclass(frozen=True, slots=True)
class Ports:
    """One service's three."""

    load: LoadSource
    cluster: Cluster
    router: Router
