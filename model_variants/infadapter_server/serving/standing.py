"""The state of a model: loaded or why not, in terms of Triton's repository index."""

from dataclasses import dataclass, field, replace
from enum import StrEnum

from infadapter_profiles.backoff import backoff_s

RETRY_S = 30.0
"""Seconds before a failed load is retried, except on explicit request."""

LONGEST_RETRY_S = 600.0
"""Longest time for a load that hangs repeatedly, as each attempt costs an executor."""

NOT_LOADED = "unloaded"
"""Triton's reason for a model that could be loaded."""


class State(StrEnum):
    READY = "READY"
    LOADING = "LOADING"
    UNLOADING = "UNLOADING"
    UNAVAILABLE = "UNAVAILABLE"


@dataclass(frozen=True, slots=True)
class Failure:
    """A failed load. `hung`: it did not end, or ended its executor, and may do so on others."""

    reason: str
    at_s: float
    retry_s: float = RETRY_S
    hung: bool = False

    def left_s(self, now_s: float) -> float:
        """Return the time until the next attempt, s."""
        return self.at_s + self.retry_s - now_s


@dataclass(slots=True)
class Standing:
    """
    The state of one model. `holders` are the executors that have it, or are loading it (False).
    """

    holders: dict[str, bool] = field(default_factory=dict)
    stamp: str = ""  # of the file that was loaded last
    leaving: bool = False
    failure: Failure | None = None
    hangs: int = 0  # loads in a row after which it was left alone
    losses: int = 0  # loads in a row in which the executor was lost

    @property
    def rests(self) -> bool:
        """Whether the model must not be loaded for now, as that would cost another executor."""
        return self.failure is not None and self.failure.hung

    @property
    def there(self) -> bool:
        """Whether it is in memory, possibly not for long."""
        return any(self.holders.values())

    @property
    def state(self) -> State:
        if not self.holders:
            return State.UNAVAILABLE
        if self.leaving:
            return State.UNLOADING
        return State.READY if self.there else State.LOADING

    @property
    def reason(self) -> str:
        if self.failure is not None:
            return self.failure.reason
        return NOT_LOADED if self.state is State.UNAVAILABLE else ""

    def failed_lately(self, now_s: float) -> Failure | None:
        """Return the failure because of which it isn't loaded now, or None."""
        failure = self.failure
        return failure if failure and failure.left_s(now_s) > 0 else None

    def loading(self, stamp: str, executor: str) -> None:
        self.stamp, self.leaving = stamp, False
        self.holders[executor] = False

    def loaded(self, executor: str) -> None:
        self.holders[executor] = True
        self.forget()

    def forget(self) -> None:
        """Forget earlier failures."""
        self.failure, self.hangs, self.losses = None, 0, 0

    def failed(self, executor: str, failure: Failure | None) -> None:
        """Record a failed load. None: it came too late, which says nothing about the model."""
        self.holders.pop(executor, None)
        if not self.there:  # else it is the executor that lacks something
            self.failure = failure or self.failure

    def hung(self, reason: str, now_s: float) -> Failure:
        """
        Record a load that did not end, or lost its executor; the model rests, each time twice as
        long.
        """
        self.hangs += 1
        retry_s = backoff_s(RETRY_S, self.hangs, LONGEST_RETRY_S)
        self.failure = failure = Failure(reason, now_s, retry_s, hung=True)
        return failure

    def still_hangs(self, now_s: float) -> None:
        """Extend the rest: it begins when the load has ended."""
        if self.failure is not None:
            self.failure = replace(self.failure, at_s=now_s)

    def unloading(self) -> None:
        """It is unloaded once accepted requests are answered."""
        self.leaving = bool(self.holders)

    def unloaded(self, executor: str) -> None:
        self.holders.pop(executor, None)
        self.leaving = self.leaving and bool(self.holders)
