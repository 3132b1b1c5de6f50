"""Events: what a scheduler is told, each with the time: nothing here reads a clock."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Arrived:
    """A request, whose body is there: deadlines are instants, not durations."""

    request: int
    model: str
    deadline_s: float


@dataclass(frozen=True, slots=True)
class Gone:
    """A cancellation by the client: nobody waits for this answer any more."""

    request: int


@dataclass(frozen=True, slots=True)
class Finished:
    """A completion: a Run has ended, or was dropped because it came too late (`done` false)."""

    executor: str
    run: int
    start_s: float
    end_s: float
    done: bool = True


@dataclass(frozen=True, slots=True)
class Loaded:
    """A load that has ended: the weights of a model are in an executor's memory, or are not."""

    executor: str
    model: str
    start_s: float
    end_s: float
    done: bool = True


@dataclass(frozen=True, slots=True)
class Tick:
    """A timer: the instant that `next_tick_s` asked for has come."""


@dataclass(frozen=True, slots=True)
class ExecutorJoined:
    """A worker that can run one batch at a time, with so many free pages; None: room for all."""

    executor: str
    pages: int | None = None
    resident: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class ExecutorLeft:
    """A worker that is lost, with what it was running."""

    executor: str


Event = Arrived | Gone | Finished | Loaded | Tick | ExecutorJoined | ExecutorLeft
