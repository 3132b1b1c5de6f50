"""What a request gets instead of a result: a status, a sentence, and when to try again."""

import math
from collections.abc import Mapping
from enum import StrEnum

from infadapter_profiles import wire

__all__ = [
    "Cause",
    "ClientGone",
    "InferenceError",
    "Refusal",
    "Unserved",
    "inference_failed",
    "try_again",
    "whole_seconds",
]

_LONGEST_S = 3600


class Cause(StrEnum):
    """Why the front refuses, before the scheduler is asked; beside the scheduler's reasons."""

    LOADING = "loading"
    CLOSED = "closed"
    FAILING = "failing"
    MEMORY = "memory"
    CONNECTIONS = "connections"


class ClientGone(Exception):
    """Nobody waits for an answer any more."""


class InferenceError(Exception):
    """The model could not compute a batch that looked right."""


class Refusal(Exception):
    """Why a request gets no result: an HTTP status and a sentence."""

    def __init__(
        self,
        status: int,
        sentence: str,
        headers: Mapping[str, str] | None = None,
        *,
        reason: str = "",
    ) -> None:
        super().__init__(sentence)
        self.status = status
        self.headers = dict(headers or {})
        self.reason = reason  # of those that are counted as refused for want of room or time


class Unserved(Exception):
    """A request the scheduler refused, or gave up after it had been accepted."""

    def __init__(self, reason: str, retry_after_s: float = 0.0, *, accepted: bool = False) -> None:
        super().__init__(reason)
        self.reason, self.retry_after_s, self.accepted = reason, retry_after_s, accepted


def inference_failed() -> Refusal:
    return Refusal(500, "The inference failed; the server's log says why.")


def try_again(reason: str, sentence: str, after_s: float = 0.0) -> Refusal:
    """A 503."""
    headers = {wire.RETRY_AFTER_HEADER: str(whole_seconds(after_s))}
    return Refusal(wire.REFUSED_STATUS, sentence, headers, reason=reason)


def whole_seconds(after_s: float) -> int:
    """As HTTP knows them; none at all would be a storm of retries."""
    return max(wire.RETRY_AFTER_S, math.ceil(min(after_s, _LONGEST_S)))
