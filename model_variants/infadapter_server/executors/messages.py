"""
Orders to an executor, and its reports: Clockwork's action API (OSDI'20, section 5), as values.

An executor has no choice: it processes one order at a time, not before `earliest_s` and not after
`latest_s`, and reports when it began and ended. Times are seconds of this machine's monotonic
clock, which all its processes share; a link to another machine translates them.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum

from infadapter_server.networks.adaptive.points import Point
from infadapter_server.networks.signatures import Floats
from infadapter_server.networks.stored import Stored


class Outcome(StrEnum):
    DONE = "done"
    TOO_LATE = "too_late"  # `latest_s` had passed: dropped, and nothing computed
    FAILED = "failed"  # the model raised, or isn't there
    LOST = "lost"  # there is nobody to do it: ExecutorLost has been told, or is told now


@dataclass(frozen=True, slots=True)
class Infer:
    """One batch: `rows` are the inputs of its members, each of the shape [n, …] with n ≥ 1."""

    run: int
    model: str
    rows: tuple[Floats, ...]
    earliest_s: float
    latest_s: float
    point: str = ""  # of an adaptive network; without one it answers by its most accurate


@dataclass(frozen=True, slots=True)
class LoadModel:
    """
    Load weights from disk into memory, and warm up each batch size, which takes far longer than the
    load. If a profile is known, only the smallest batch size is warmed up, to show that the model
    computes.
    """

    stored: Stored
    earliest_s: float
    latest_s: float


@dataclass(frozen=True, slots=True)
class UnloadModel:
    """Unload a model, before any later order."""

    model: str


@dataclass(frozen=True, slots=True)
class UseThreads:
    """Use this many threads from now on, because the CPU quota has changed."""

    threads: int


Order = Infer | LoadModel | UnloadModel | UseThreads


@dataclass(frozen=True, slots=True)
class Inferred:
    """The end of an Infer: `outputs` has a row for each image of the batch, if it is done."""

    run: int
    outcome: Outcome
    begin_s: float
    end_s: float
    outputs: Floats | None = None
    error: str = ""


@dataclass(frozen=True, slots=True)
class ModelLoaded:
    """
    The end of a LoadModel. `execution_s` are seconds by batch size from the warm-up. `points` are
    those of an adaptive network, measured likewise; the most accurate is the last.
    """

    model: str
    outcome: Outcome
    begin_s: float
    end_s: float
    weights_bytes: int = 0
    execution_s: Mapping[int, float] = field(default_factory=dict)
    error: str = ""
    version: str = ""
    points: tuple[Point, ...] = ()


@dataclass(frozen=True, slots=True)
class ExecutorReady:
    """
    Orders are accepted from now on. `resident` are models already in memory. `memory_bytes` limits
    the weights (None: no limit). `shared_load`: loads queue with executions; otherwise they run
    concurrently.
    """

    memory_bytes: int | None = None
    resident: tuple[ModelLoaded, ...] = ()
    shared_load: bool = True


@dataclass(frozen=True, slots=True)
class ExecutorLost:
    """The executor has ended, or is unreachable: its pending orders are not done."""

    reason: str


Report = Inferred | ModelLoaded | ExecutorReady | ExecutorLost
