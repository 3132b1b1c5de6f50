"""How a model stands: loaded or not, and why not, in the words of Triton's repository index."""

from dataclasses import dataclass, field
from enum import StrEnum

RETRY_S = 30.0
"""How long a model whose load failed is left alone, unless somebody asks for the load itself."""

NOT_LOADED = "unloaded"
"""Triton's word for what could be loaded."""


class State(StrEnum):
    READY = "READY"
    LOADING = "LOADING"
    UNLOADING = "UNLOADING"
    UNAVAILABLE = "UNAVAILABLE"


@dataclass(frozen=True, slots=True)
class Failure:
    reason: str
    at_s: float


@dataclass(slots=True)
class Standing:
    """One model. `holders`: the executors that have it, or are getting it (False)."""

    holders: dict[str, bool] = field(default_factory=dict)
    stamp: str = ""  # of the file that was loaded last
    leaving: bool = False
    failure: Failure | None = None

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

    def failed_lately(self, now_s: float) -> str | None:
        """Why it isn't tried now."""
        failure = self.failure
        return failure.reason if failure and now_s < failure.at_s + RETRY_S else None

    def loading(self, stamp: str, executor: str) -> None:
        self.stamp, self.leaving = stamp, False
        self.holders[executor] = False

    def loaded(self, executor: str) -> None:
        self.holders[executor], self.failure = True, None

    def failed(self, executor: str, failure: Failure | None) -> None:
        """None: it came too late, which says nothing of the model."""
        self.holders.pop(executor, None)
        if not self.there:  # else it is the executor that lacks something
            self.failure = failure or self.failure

    def unloading(self) -> None:
        """It goes once what was accepted for it is answered."""
        self.leaving = bool(self.holders)

    def unloaded(self, executor: str) -> None:
        self.holders.pop(executor, None)
        self.leaving = self.leaving and bool(self.holders)
