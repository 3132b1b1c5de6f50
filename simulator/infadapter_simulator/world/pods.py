"""A simulated pod, and what pods hold over time, which is paid for."""

from dataclasses import dataclass

from infadapter_operator.domain.observed import Cause, Resize, Trouble
from infadapter_solver import CPU, Objective, PodSize, Target


@dataclass(slots=True, eq=False)
class SimulatedPod:
    """A pod from its creation to its end."""

    slot: int  # its number, never used again
    name: str
    target: Target
    size: PodSize  # in force
    wanted: PodSize  # asked for
    created_at_s: float
    ready: bool = False
    ready_since_s: float = 0.0
    unready_since_s: float = 0.0  # where it is not
    unschedulable_since_s: float | None = None
    resize: Resize = Resize.NONE
    resize_since_s: float | None = None
    trouble: Trouble | None = None
    outdated: bool = False  # of an earlier template of its Deployment, which replaces it
    leaving: bool = False
    gone: bool = False

    @property
    def cores(self) -> float:
        return self.size.cpu_millicores / 1000

    @property
    def is_lost(self) -> bool:
        return self.trouble is not None and self.trouble.cause is Cause.NODE_LOST

    @property
    def held(self) -> dict[str, int]:
        """
        Return what it holds: the larger of the size in force and the requested one, unless the node
        has no room for that; nothing before it has a node, or after it or its node is gone.
        """
        if self.gone or self.is_lost or self.unschedulable_since_s is not None:
            return {}
        if self.resize in (Resize.DEFERRED, Resize.REFUSED):
            return dict(self.size.resources)
        return _larger(self.size, self.wanted)


@dataclass(frozen=True, slots=True)
class Held:
    """From then on the pod holds these amounts; empty once it is gone."""

    at_s: float
    slot: int
    target: Target
    price: float  # the larger of what is in force and what was asked for, at the prices
    millicores: int


def held_since(at_s: float, pod: SimulatedPod, objective: Objective) -> Held:
    amounts = pod.held
    return Held(
        at_s=at_s,
        slot=pod.slot,
        target=pod.target,
        price=objective.price_of(amounts),
        millicores=amounts.get(CPU, 0),
    )


def _larger(some: PodSize, other: PodSize) -> dict[str, int]:
    names = {*some.resources, *other.resources}
    return {n: max(some.resources.get(n, 0), other.resources.get(n, 0)) for n in names}
