"""A world in virtual time: arrivals, executors with their deviations, and the fates of arrivals."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import NamedTuple, Protocol

from infadapter_scheduler.deviation import Deviation, exact
from infadapter_scheduler.model import Model


class BrokenRule(Exception):
    """A policy ordered something that no executor can do."""


class Arrival(NamedTuple):
    arrival_s: float
    model: str
    slo_s: float
    floor: float = 0.0


@dataclass(slots=True)
class Served:
    """The fate of one arrival. `outcome` is None until it is known."""

    outcome: str | None = None
    decided_s: float = 0.0
    executor: str = ""
    batch: int = 0
    start_s: float = 0.0
    end_s: float = 0.0
    cold: bool = False
    retry_after_s: float = 0.0
    point: int = 0


Settled = Callable[[Arrival, Served, float], None]
"""Called with each fate when its client learns of it, and with that time."""


class Source(Protocol):
    """Where arrivals come from; a closed-loop client's next one is known with an answer."""

    def next_s(self) -> float:
        """Return the time of the next arrival; infinite while none is known."""
        ...

    def take(self) -> Arrival: ...


class Front(NamedTuple):
    """CPU time per request of the serving process, its HTTP side, on the executor's core."""

    answer_s: float = 0.0
    refusal_s: float = 0.0


NO_FRONT = Front()


@dataclass(frozen=True, slots=True)
class World:
    """The executors, and how they deviate from the table."""

    models: Mapping[str, Model]
    executors: int = 1
    pages: int | None = None
    lag_s: float = 0.0
    deviation: Deviation = exact
    seed: int = 0
    shared_load: bool = False
    switch_s: float = 0.0  # duration of a change of the operating point, unknown to the scheduler
    front: Front = NO_FRONT  # of one executor


@dataclass(slots=True)
class Machine:
    """One executor: when it is free, and when each resident model's weights are loaded."""

    name: str
    free_s: float = 0.0
    load_free_s: float = 0.0
    there_s: dict[str, float] = field(default_factory=dict)
    used_pages: int = 0
    busy_s: float = 0.0
    loading_s: float = 0.0
    loads: int = 0
    point: int = 0
    owed_s: float = 0.0  # of the execution under way: what the front has had of the core meanwhile
    front_free_s: float = 0.0
