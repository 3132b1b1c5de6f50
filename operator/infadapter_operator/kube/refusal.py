"""Refusals of the API server as named errors, distinguished from its own faults."""

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
    """The API server understood the request and refused it."""

    status: int
    reason: str
    message: str
    causes: tuple[str, ...] = ()

    def __str__(self) -> str:
        return self.message

    @property
    def is_beyond_node(self) -> bool:
        """Whether a resize exceeds the total capacity of the pod's node."""
        return self.status == 403 and "NodeCapacity" in self.causes

    @property
    def is_quota(self) -> bool:
        """
        Whether a ResourceQuota or LimitRange refused. A missing permission has status 403 as well.
        """
        return self.status == 403 and any(words in self.message for words in _BOUNDS)

    @property
    def is_conflict(self) -> bool:
        return self.status == 409 and "FieldManagerConflict" in self.causes

    @property
    def is_final(self) -> bool:
        """Whether the same request would be refused again: a conflict, invalid values, a policy."""
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
