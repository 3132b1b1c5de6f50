"""How a model stands: loaded or not, and why not, in the words of Triton's repository index."""

from dataclasses import dataclass, field, replace
from enum import StrEnum

from infadapter_profiles.backoff import backoff_s

RETRY_S = 30.0
"""How long a model whose load failed is left alone, unless somebody asks for the load itself."""

LONGEST_RETRY_S = 600.0
"""Of one whose load hangs again and again: each time it costs an executor."""

NOT_LOADED = "unloaded"
"""Triton's word for what could be loaded."""


class State(StrEnum):
    READY = "READY"
    LOADING = "LOADING"
    UNLOADING = "UNLOADING"
    UNAVAILABLE = "UNAVAILABLE"


@dataclass(frozen=True, slots=True)
class Failure:
    """
    `hung`: the load did not end, and whatever it needs may be missing everywhere; or it ended its
    executor, and would end others.
    """

    reason: str
    at_s: float
    retry_s: float = RETRY_S
    hung: bool = False

    def left_s(self, now_s: float) -> float:
        """Until it is tried again."""
        return self.at_s + self.retry_s - now_s


@dataclass(slots=True)
class Standing:
    """One model. `holders`: the executors that have it, or are getting it (False)."""

    holders: dict[str, bool] = field(default_factory=dict)
    stamp: str = ""  # of the file that was loaded last
    leaving: bool = False
    failure: Failure | None = None
    hangs: int = 0  # loads in a row after which it was left alone
    losses: int = 0  # loads in a row in which the executor was lost

    @property
    def rests(self) -> bool:
        """Nobody loads it for now, for that would cost the next executor too."""
        return self.failure is not None and self.failure.hung

    @property
    def there(self) -> bool:
        """In memory, if perhaps not for long."""
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
        """Why it isn't tried now."""
        failure = self.failure
        return failure if failure and failure.left_s(now_s) > 0 else None

    def loading(self, stamp: str, executor: str) -> None:
        self.stamp, self.leaving = stamp, False
        self.holders[executor] = False

    def loaded(self, executor: str) -> None:
        self.holders[executor] = True
        self.forget()

    def forget(self) -> None:
        """What went wrong before says nothing any more."""
        self.failure, self.hangs, self.losses = None, 0, 0

    def failed(self, executor: str, failure: Failure | None) -> None:
        """None: it came too late, which says nothing of the model."""
        self.holders.pop(executor, None)
        if not self.there:  # else it is the executor that lacks something
            self.failure = failure or self.failure

    def hung(self, reason: str, now_s: float) -> Failure:
        """A load did not end, or its executor did: it rests, each time for twice as long."""
        self.hangs += 1
        retry_s = backoff_s(RETRY_S, self.hangs, LONGEST_RETRY_S)
        self.failure = failure = Failure(reason, now_s, retry_s, hung=True)
        return failure

    def still_hangs(self, now_s: float) -> None:
        """Its rest begins when that is over."""
        if self.failure is not None:
            self.failure = replace(self.failure, at_s=now_s)

    def unloading(self) -> None:
        """It goes once what was accepted for it is answered."""
        self.leaving = bool(self.holders)

    def unloaded(self, executor: str) -> None:
        self.holders.pop(executor, None)
        self.leaving = self.leaving and bool(self.holders)
