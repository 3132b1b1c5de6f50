"""What the API server says no with, as named errors; what is its own fault is no refusal."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from infadapter_operator.domain.ports import (
    Conflict,
    PlatformUnavailable,
    QuotaExceeded,
    StepRefused,
)

_BOUNDS = ("exceeded quota", "maximum cpu usage", "maximum memory usage", "minimum cpu usage")
_USERS_FAULT = ("failed to create typed patch object", "failed to convert new object")


@dataclass(eq=False)
class ApiRefusal(Exception):
    """The API server understood and refused."""

    status: int
    reason: str
    message: str
    causes: tuple[str, ...] = ()

    def __str__(self) -> str:
        return self.message

    @property
    def is_beyond_node(self) -> bool:
        """A resize to more than the pod's node has, used or not."""
        return self.status == 403 and "NodeCapacity" in self.causes

    @property
    def is_quota(self) -> bool:
        """A ResourceQuota or LimitRange; a missing permission is a 403 too."""
        return self.status == 403 and any(words in self.message for words in _BOUNDS)

    @property
    def is_conflict(self) -> bool:
        return self.status == 409 and "FieldManagerConflict" in self.causes

    @property
    def is_final(self) -> bool:
        """The same request will be refused again: a conflict, invalid values, a policy."""
        return self.is_conflict or self.status in (403, 422)

    def as_step_refused(self) -> StepRefused:
        if self.is_quota:
            return QuotaExceeded(self.message)
        if self.is_conflict:
            return Conflict(self.message)
        return StepRefused(self.message)


def failure(status: int, answer: Mapping[str, Any]) -> ApiRefusal | PlatformUnavailable:
    message = str(answer.get("message") or f"the API server answered {status}")
    if (status >= 500 and not any(words in message for words in _USERS_FAULT)) or status == 429:
        return PlatformUnavailable(message)
    causes = (answer.get("details") or {}).get("causes") or ()
    reasons = tuple(str(cause.get("reason", "")) for cause in causes)
    return ApiRefusal(status, str(answer.get("reason", "")), message, reasons)
