"""
The behaviour of a Deployment's controller, for platforms that have none. Pure.

The loop relies on this behaviour on every platform, so those that emulate it share this code.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Generic, Protocol, TypeVar

MIN_READY_S = 10
"""
Seconds for which an old pod stays after its replacement is Ready, so that weights can be shifted.
"""


class Live(Protocol):
    """A pod that is not terminating."""

    @property
    def ready(self) -> bool: ...

    @property
    def outdated(self) -> bool:
        """Whether the pod has an earlier template."""
        ...


P = TypeVar("P", bound=Live)


@dataclass(frozen=True, slots=True)
class Turnover(Generic[P]):
    going: Sequence[P]
    coming: int  # number of pods to create from the template


def turnover(live: Sequence[P], replicas: int, is_available: Callable[[P], bool]) -> Turnover[P]:
    """
    Return the pods to remove and the number to create.

    Pods of an earlier template are rolled with one extra pod and none unavailable, as on
    Kubernetes. Otherwise surplus pods are removed and missing ones created, oldest first.
    `is_available` says whether a new pod has been Ready for long enough.
    """
    old = [pod for pod in live if pod.outdated]
    going = _replaced(live, replicas, is_available) if old else _excess(live, replicas)
    stay = len(live) - len(going)
    left = len(old) - sum(pod.outdated for pod in going)
    most = replicas + (1 if left else 0)
    return Turnover(going, max(0, min(most - stay, replicas - stay + left)))


def _replaced(live: Sequence[P], replicas: int, is_available: Callable[[P], bool]) -> Sequence[P]:
    """
    Return the old pods to remove: Ready ones only as far as `replicas` Ready pods remain, others as
    far as they are surplus beside the new pods that are not available yet.
    """
    new = [is_available(pod) for pod in live if not pod.outdated]
    spare = max(0, len(live) - replicas - new.count(False))
    going = [pod for pod in live if pod.outdated and not pod.ready][:spare]
    ready = [pod for pod in live if pod.outdated and pod.ready]
    return going + ready[: max(0, len(ready) + new.count(True) - replicas)]


def _excess(live: Sequence[P], replicas: int) -> Sequence[P]:
    return sorted(live, key=lambda pod: pod.ready)[: max(0, len(live) - replicas)]
