"""Events: what the scheduler is told, each with its time. The scheduler reads no clock."""

from collections.abc import Mapping
from dataclasses import dataclass

from infadapter_scheduler.model import Model


@dataclass(frozen=True, slots=True)
class Arrived:
    """
    A request whose body has been received. Deadlines are instants, not durations.

    `bulk`: more requests arrive in the same instant, and nothing is sent before BulkArrived, so
    that they run together. For a model with operating points, only those with at least the accuracy
    `floor` may serve it.
    """

    request: int
    model: str
    deadline_s: float
    floor: float = 0.0
    bulk: bool = False


@dataclass(frozen=True, slots=True)
class BulkArrived:
    """The end of a bulk arrival, such as the images of one request."""


@dataclass(frozen=True, slots=True)
class Gone:
    """The client cancelled the request."""

    request: int


@dataclass(frozen=True, slots=True)
class Finished:
    """A Run has ended, or was dropped because it came too late (`done` False)."""

    executor: str
    run: int
    start_s: float
    end_s: float
    done: bool = True


@dataclass(frozen=True, slots=True)
class Loaded:
    """A load has ended, successfully or not."""

    executor: str
    model: str
    start_s: float
    end_s: float
    done: bool = True


@dataclass(frozen=True, slots=True)
class Tick:
    """A timer: the time that `next_tick_s` asked for has come."""


@dataclass(frozen=True, slots=True)
class ExecutorJoined:
    """
    A worker that runs one batch at a time, with the number of free pages (None: room for all
    models). `shared_load`: loads use the same queue as executions, as on a CPU; a GPU copies
    concurrently.
    """

    executor: str
    pages: int | None = None
    resident: tuple[str, ...] = ()
    shared_load: bool = False


@dataclass(frozen=True, slots=True)
class ExecutorLeft:
    """A worker was lost, with what it was running."""

    executor: str


@dataclass(frozen=True, slots=True)
class PointsAllowed:
    """
    The plan restricts a model to these operating points (None: all) and this accuracy floor, for
    new requests. Accepted requests keep the points they were promised.
    """

    model: str
    points: tuple[str, ...] | None = None
    floor: float = 0.0


@dataclass(frozen=True, slots=True)
class ModelAdded:
    """
    Register a model, which is served from now on with its allowed points. A model of the same name
    is removed first.
    """

    model: Model
    allowed: PointsAllowed | None = None


@dataclass(frozen=True, slots=True)
class ModelRemoved:
    """Deregister a model: accepted requests are served, new ones are not; then it is unloaded."""

    model: str


@dataclass(frozen=True, slots=True)
class Profiled:
    """
    A profile: new initial estimates. Sizes it doesn't contain keep theirs. For a model with
    operating points it applies to one of them.
    """

    model: str
    execution_s: Mapping[int, float]
    load_s: float | None = None
    point: str | None = None


@dataclass(frozen=True, slots=True)
class SpeedChanged:
    """
    Rescale all estimates: executions take `factor` times as long (threads or CPU quota changed),
    and each request of an execution `each_s` longer for work beside it.
    """

    factor: float = 1.0
    each_s: float = 0.0


@dataclass(frozen=True, slots=True)
class KeepLoaded:
    """Pin a loaded model so that it is not evicted, or unpin it."""

    model: str
    kept: bool


@dataclass(frozen=True, slots=True)
class LoadWanted:
    """Load a model as soon as there is room; cancels a pending unload."""

    model: str


@dataclass(frozen=True, slots=True)
class UnloadWanted:
    """Unload a model once the requests accepted for its copies are served."""

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
