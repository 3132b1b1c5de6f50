"""Events: what a scheduler is told, each with the time: nothing here reads a clock."""

from collections.abc import Mapping
from dataclasses import dataclass

from infadapter_scheduler.model import Model


@dataclass(frozen=True, slots=True)
class Arrived:
    """
    A request, whose body is there: deadlines are instants, not durations. `bulk`: others come in
    the same instant, and nothing of it is sent before BulkArrived, so that they run together. Of a
    model with operating points, only those from `floor` on serve it.
    """

    request: int
    model: str
    deadline_s: float
    floor: float = 0.0
    bulk: bool = False


@dataclass(frozen=True, slots=True)
class BulkArrived:
    """The end of a bulk arrival, as of the images of one request."""


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
    """
    A worker that can run one batch at a time, with so many free pages; None: room for all.

    `shared_load`: it loads in the same queue, as a CPU does; a GPU copies beside executions.
    """

    executor: str
    pages: int | None = None
    resident: tuple[str, ...] = ()
    shared_load: bool = False


@dataclass(frozen=True, slots=True)
class ExecutorLeft:
    """A worker that is lost, with what it was running."""

    executor: str


@dataclass(frozen=True, slots=True)
class PointsAllowed:
    """
    What the plan wants of a model: these operating points (None: all), from that accuracy on, for
    whoever comes from now on. What was accepted keeps the points that it was promised.
    """

    model: str
    points: tuple[str, ...] | None = None
    floor: float = 0.0


@dataclass(frozen=True, slots=True)
class ModelAdded:
    """
    A registration: the model is served from now on, by the points that are allowed; one of its name
    is removed before.
    """

    model: Model
    allowed: PointsAllowed | None = None


@dataclass(frozen=True, slots=True)
class ModelRemoved:
    """A deregistration: what was accepted is served, nothing new is; then it is unloaded."""

    model: str


@dataclass(frozen=True, slots=True)
class Profiled:
    """
    A profile: new seeds of the estimates. Sizes that it doesn't name keep theirs. Of a model with
    operating points it is of one of them.
    """

    model: str
    execution_s: Mapping[int, float]
    load_s: float | None = None
    point: str | None = None


@dataclass(frozen=True, slots=True)
class SpeedChanged:
    """
    A rescaling: all takes `factor` times as long from now on (threads, or the CPU quota), and each
    request of an execution `each_s` longer than that, for what is done beside it.
    """

    factor: float = 1.0
    each_s: float = 0.0


@dataclass(frozen=True, slots=True)
class KeepLoaded:
    """An operator's pin: nothing evicts the model where it is loaded; or that no longer holds."""

    model: str
    kept: bool


@dataclass(frozen=True, slots=True)
class LoadWanted:
    """An explicit load, as soon as there is room; takes back an unload that is yet to come."""

    model: str


@dataclass(frozen=True, slots=True)
class UnloadWanted:
    """An explicit unload, once what was accepted for those copies is served."""

    model: str


Change = (
    ModelAdded
    | ModelRemoved
    | Profiled
    | SpeedChanged
    | PointsAllowed
    | KeepLoaded
    | LoadWanted
    | UnloadWanted
)
Event = (
    Arrived | BulkArrived | Gone | Finished | Loaded | Tick | ExecutorJoined | ExecutorLeft | Change
)
