"""What is added: its steps, what there was no room for, and the room that is left."""

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
    """Something planned for which there is no room; or a smaller form of it, which also helps."""

    lacking: Resources  # of the resources that are short, how much
    gain_rps: float  # what it will serve
    wait_s: float  # until it does
    pod: str = ""  # which is to grow; empty: one that is to start
    instead: Releases | None = None  # what of pods that are replaced leaves room for the others
    is_of_node: bool = False  # of a node and not of the budget: how much it lacks is a guess


@dataclass(frozen=True, slots=True, kw_only=True)
class Growth:
    """The steps, what there was no room for, and what is left of the room."""

    steps: tuple[ScaleUp | ResizePod, ...]
    resized: Mapping[str, Allocation]  # by pod, of these steps
    shortages: tuple[Shortage, ...]
    room: Room
    outgrown: frozenset[Target] = frozenset()  # whose new pods come up larger than there is room
    waits: bool = False  # something starts once all is within the budget again

    @property
    def short(self) -> frozenset[str]:
        return frozenset(name for one in self.shortages for name in one.lacking)


@dataclass(frozen=True, slots=True, kw_only=True)
class Terms:
    """What is the same for all that is added in a cycle."""

    service: Service
    observed: Observed
    now_s: float
    spare: Room  # what budget and surge have beside all that is planned
    smaller: bool  # what has no room at its planned size starts or grows to the largest that has
    bridges: bool  # what was asked to grow beyond its plan is left to
    closed: bool  # surge has been held for too long
    over: bool  # and more than the budget still is


@dataclass(slots=True)
class Growing:
    """A growth while it is made up."""

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
