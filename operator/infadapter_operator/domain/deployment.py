"""
What a Deployment's controller does next, for platforms that have none: pure.

The loop counts on it wherever it runs, so those that have to play it play it by one code.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Generic, Protocol, TypeVar

MIN_READY_S = 10
"""In a rolling change an old pod stays this long after its successor is Ready: time to weigh it."""


class Live(Protocol):
    """A pod that nobody has told to stop."""

    @property
    def ready(self) -> bool: ...

    @property
    def outdated(self) -> bool:
        """Of an earlier template."""
        ...


P = TypeVar("P", bound=Live)


@dataclass(frozen=True, slots=True)
class Turnover(Generic[P]):
    going: Sequence[P]
    coming: int  # pods to be made, of the template


def turnover(live: Sequence[P], replicas: int, is_available: Callable[[P], bool]) -> Turnover[P]:
    """
    Pods of an earlier template are rolled with a surge of one and none unavailable, as ours are on
    Kubernetes; otherwise what is too much goes, and what is too little comes. The oldest first.
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
    As many Ready ones stay as there are to be. Of those that are not, as many go as are too many
    without the new ones that are yet to be available.
    """
    new = [is_available(pod) for pod in live if not pod.outdated]
    spare = max(0, len(live) - replicas - new.count(False))
    going = [pod for pod in live if pod.outdated and not pod.ready][:spare]
    ready = [pod for pod in live if pod.outdated and pod.ready]
    return going + ready[: max(0, len(ready) + new.count(True) - replicas)]


def _excess(live: Sequence[P], replicas: int) -> Sequence[P]:
    return sorted(live, key=lambda pod: pod.ready)[: max(0, len(live) - replicas)]
