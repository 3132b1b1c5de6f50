"""
The ports: what the loop needs from a platform. Kubernetes, the local platform and the simulator
implement them structurally; none of them is imported here. One instance serves one
InferenceService.
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
    """A step was refused; the message says why. It is retried in the next cycle."""

    reason: ClassVar[str] = "StepRefused"


class QuotaExceeded(StepRefused):
    reason = "QuotaExceeded"


class ResizeInfeasible(StepRefused):
    """The node can never hold this size; the pod is replaced instead."""

    reason = "ResizeInfeasible"


class Conflict(StepRefused):
    """Another controller owns the field."""

    reason = "Conflict"


class PlatformUnavailable(Exception):
    """The API server (or Envoy, or the process table) did not answer; the state is unknown."""

    reason: ClassVar[str] = "PlatformUnavailable"


class LoadSource(Protocol):
    async def history(self, window_s: float, now_s: float) -> History:
        """
        Return arrivals per second over the last `window_s`. Raises a LoadError if there are none.
        The last hour has the full resolution of the measurement.
        """
        ...

    async def delivered(self, window_s: float, now_s: float) -> Mapping[str, Delivered]:
        """
        Return, by pod name, the requests sent within the last `window_s` (or somewhat longer) and
        those missed: refusals and answers later than the SLO.

        Pods without such counters are left out, and pods that fail at a large part of their
        requests. Raises nothing, since no plan depends on it.

        On the local platform only pods with operating points are reported, for their accuracy. Its
        router counts refusals by pod but not late answers, reading every server's metrics would
        take CPU from what is measured, and a run of minutes is too short to learn from.
        """
        ...

    async def answers(self, window_s: float, now_s: float) -> tuple[Answers, ...] | None:
        """
        Return the outcome of the requests of the last `window_s` by interval, oldest first,
        complete intervals only. None if it is not known now. Raises nothing, since no plan depends
        on it.
        """
        ...


class Cluster(Protocol):
    """
    The pods of a service.

    New pods come up from their target's template, which has the size of its first pod and changes
    only while none of its pods runs. ReplacePods changes the template and replaces all pods, with
    one extra pod at a time.
    """

    async def observe(self, now_s: float) -> Observed:
        """Return the pods, without the router's part. Raises PlatformUnavailable."""
        ...

    async def take(self, step: ScaleUp | ResizePod | ReplacePods | RemovePods) -> None:
        """Raises StepRefused or PlatformUnavailable."""
        ...


class Router(Protocol):
    async def view(self) -> RouterView:
        """
        Return the weights in force, and those that may come into force. Raises PlatformUnavailable.
        """
        ...

    async def set_weights(self, step: SetWeights) -> None:
        """
        Send the weights. Raises StepRefused or PlatformUnavailable, the latter even if they may
        have arrived.
        """
        ...


@dataclass(frozen=True, slots=True)
class Ports:
    """The three ports of one service."""

    load: LoadSource
    cluster: Cluster
    router: Router
