"""Policies that choose operating points, behind admission and as they were published."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from math import nan
from types import MappingProxyType

from infadapter_scheduler import (
    Arrival,
    Emulation,
    Model,
    PointPolicy,
    Policy,
    Scheduler,
    Served,
    Stream,
    World,
    emulate,
)
from infadapter_scheduler.points.named import DEFAULT_POINT_POLICY, POINT_POLICIES
from infadapter_scheduler.policies.central import CentralQueue

CHOOSING: Mapping[str, Callable[[], PointPolicy]] = MappingProxyType(
    {
        "ours": POINT_POLICIES[DEFAULT_POINT_POLICY],
        "SlackFit": POINT_POLICIES["slackfit"],
        "MaxBatch": POINT_POLICIES["max-batch"],
        "MaxAcc": POINT_POLICIES["max-accuracy"],
        "lowest accuracy": POINT_POLICIES["lowest-accuracy"],
    }
)
"""The policies by their names in the paper."""

Watch = Callable[[Emulation, float], None]


def unwatched(emulation: Emulation, now_s: float) -> None:
    """Do nothing to the executors."""


@dataclass(slots=True)
class Delivered:
    """The outcomes of all arrivals. Accuracy is that of answers on time, as in the papers."""

    arrivals: int = 0
    on_time: int = 0
    late: int = 0
    accuracies: float = 0.0

    @property
    def attainment(self) -> float:
        return self.on_time / self.arrivals if self.arrivals else nan

    @property
    def accuracy(self) -> float:
        return self.accuracies / self.on_time if self.on_time else nan

    def settled(self, model: Model, fate: Served) -> None:
        self.arrivals += 1
        self.late += fate.outcome == "late"
        if fate.outcome == "on_time":
            self.on_time += 1
            self.accuracies += model.points[fate.point].accuracy


def admitted(model: Model, choosing: PointPolicy) -> Policy:
    """Return the policy behind our admission, which refuses on arrival what cannot be on time."""
    return Scheduler([model], points=choosing)


def queued(model: Model, choosing: PointPolicy) -> Policy:
    """Return the policy as published: one queue by deadline, without refusals."""
    return CentralQueue(model, choosing)


def delivered(
    policy: Policy,
    model: Model,
    arrivals: Iterator[Arrival],
    executors: int,
    *,
    switch_s: float = 0.0,
    watch: Watch = unwatched,
    by: Callable[[Arrival], Delivered] | None = None,
) -> Delivered:
    """Return the outcomes of all arrivals, and separately by the groups that `by` returns."""
    found = Delivered()

    def settled(arrival: Arrival, fate: Served, known_s: float) -> None:
        found.settled(model, fate)
        if by is not None:
            by(arrival).settled(model, fate)

    world = World({model.name: model}, executors, switch_s=switch_s)
    emulate(policy, Stream(arrivals), world, settled, watch)
    return found
