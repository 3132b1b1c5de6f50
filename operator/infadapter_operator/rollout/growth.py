"""The result of scaling up: the steps, the shortages, and the room that remains."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from infadapter_operator.domain.observed import Observed
from infadapter_operator.domain.service import Service
from infadapter_operator.domain.steps import ResizePod, ScaleUp
from infadapter_operator.rollout.free import Room
from infadapter_operator.rollout.release import Releases
from infadapter_solver.problem import Allocation, Resources, Target


@dataclass(frozen=True, slots=True, kw_only=True)
class Shortage:
    """A planned pod or size that has no room, or a smaller size of it, which would help as well."""

    lacking: Resources  # amounts, of the resources that are short
    gain_rps: float  # capacity that it adds
    wait_s: float  # seconds until it does
    pod: str = ""  # the pod to grow; empty for a new pod
    instead: Releases | None = None  # releases that let the rest of a rolling update begin
    is_of_node: bool = False  # a node lacks it, not the budget: the amount is a guess


@dataclass(frozen=True, slots=True, kw_only=True)
class Growth:
    """The steps that scale up, what had no room, and the remaining room."""

    steps: tuple[ScaleUp | ResizePod, ...]
    resized: Mapping[str, Allocation]  # by pod, the new sizes of these steps
    shortages: tuple[Shortage, ...]
    room: Room
    outgrown: frozenset[Target] = frozenset()  # new pods start larger than the room
    waits: bool = False  # a start waits until all is within the budget

    @property
    def short(self) -> frozenset[str]:
        return frozenset(name for one in self.shortages for name in one.lacking)


@dataclass(frozen=True, slots=True, kw_only=True)
class Terms:
    """The inputs that are common to all steps that scale up in a cycle."""

    service: Service
    observed: Observed
    now_s: float
    spare: Room  # budget and surge less everything planned
    smaller: bool  # without room for the planned size, use the largest that fits
    bridges: bool  # keep resizes beyond the planned size
    closed: bool  # surge has been held for too long
    over: bool  # and more than the budget is still held


@dataclass(slots=True)
class Growing:
    """A `Growth` under construction."""

    room: Room
    steps: list[ScaleUp | ResizePod] = field(default_factory=list)
    resized: dict[str, Allocation] = field(default_factory=dict)
    shortages: list[Shortage] = field(default_factory=list)
    outgrown: set[Target] = field(default_factory=set)
    waits: bool = False

    def lacks(self, amounts: Resources, *, gain_rps: float, wait_s: float, pod: str = "") -> None:
        lacking = self.room.lacking(amounts)
        if lacking and gain_rps > 0:
            self.shortages.append(
                Shortage(lacking=lacking, gain_rps=gain_rps, wait_s=wait_s, pod=pod)
            )

    @property
    def growth(self) -> Growth:
        return Growth(
            steps=tuple(self.steps),
            resized=self.resized,
            shortages=tuple(self.shortages),
            room=self.room,
            outgrown=frozenset(self.outgrown),
            waits=self.waits,
        )
