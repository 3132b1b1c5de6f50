"""Refusals: what a request gets instead of a result: a status, a sentence, and when to retry."""

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
    """
    Why the front end refuses before the scheduler is asked, in addition to the scheduler's reasons.
    """

    LOADING = "loading"
    CLOSED = "closed"
    FAILING = "failing"
    MEMORY = "memory"
    CONNECTIONS = "connections"


class ClientGone(Exception):
    """The client no longer waits for an answer."""


class InferenceError(Exception):
    """The model failed on a batch that looked valid."""


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
    """The scheduler refused the request, or gave it up after accepting it."""

    def __init__(self, reason: str, retry_after_s: float = 0.0, *, accepted: bool = False) -> None:
        super().__init__(reason)
        self.reason, self.retry_after_s, self.accepted = reason, retry_after_s, accepted


def inference_failed() -> Refusal:
    return Refusal(500, "The inference failed; the server's log says why.")


def try_again(reason: str, sentence: str, after_s: float = 0.0) -> Refusal:
    """Return a 503."""
    headers = {wire.RETRY_AFTER_HEADER: str(whole_seconds(after_s))}
    return Refusal(wire.REFUSED_STATUS, sentence, headers, reason=reason)


def whole_seconds(after_s: float) -> int:
    """Return whole seconds for HTTP, at least one: zero would cause a storm of retries."""
    return max(wire.RETRY_AFTER_S, math.ceil(min(after_s, _LONGEST_S)))
