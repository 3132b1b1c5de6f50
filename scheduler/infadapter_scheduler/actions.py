"""
Actions: what the scheduler orders. Executors carry them out exactly, or report that they did not.
"""

from enum import StrEnum
from typing import NamedTuple


class Reason(StrEnum):
    """Why a request is not served. The last three apply to requests that had been accepted."""

    UNKNOWN_MODEL = "unknown_model"
    NO_TIME = "no_time"  # it would be late, or make others late
    NO_MEMORY = "no_memory"  # its model isn't loaded, and can't be in time
    NO_EXECUTOR = "no_executor"
    NO_POINT = "no_point"  # no allowed operating point is as accurate as it asks
    GIVEN_UP = "given_up"  # what ran before took longer than was promised for
    EXECUTOR_LEFT = "executor_left"
    GONE = "gone"

    @property
    def breaks_promise(self) -> bool:
        return self in (Reason.GIVEN_UP, Reason.EXECUTOR_LEFT, Reason.GONE)


class Run(NamedTuple):
    """
    One batch on one executor. It starts within [earliest, latest], or is dropped and reported.
    """

    run: int
    executor: str
    model: str
    batch: tuple[int, ...]
    earliest_s: float
    latest_s: float
    expected_s: float
    point: int = 0  # of `Model.points`; 0 where there are none


class Load(NamedTuple):
    """Load a model's weights into the memory of an executor."""

    executor: str
    model: str
    earliest_s: float
    latest_s: float


class Unload(NamedTuple):
    """Evict a model; its pages are free at once."""

    executor: str
    model: str


class Refuse(NamedTuple):
    """Refuse a request; a client may retry after the given time."""

    request: int
    reason: Reason
    retry_after_s: float


Action = Run | Load | Unload | Refuse
