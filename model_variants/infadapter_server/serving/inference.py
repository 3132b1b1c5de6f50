"""The route for inference: from a raw request to an answer or a refusal, and what is counted.

A request is refused as early as it can be: before its body is read if the server is full, so
that the memory held by requests is bounded by their number times the longest body.
"""

import asyncio
import logging
import math
import time
from collections.abc import Mapping
from dataclasses import dataclass, field

from fastapi import Request, Response
from starlette.requests import ClientDisconnect

from infadapter_profiles import wire
from infadapter_server.networks.signatures import Floats, Signature
from infadapter_server.serving import protocol
from infadapter_server.serving.metrics import ServerMetrics
from infadapter_server.serving.oip import encodings
from infadapter_server.serving.worker import InferenceError, Worker

__all__ = ["Identity", "Inference", "Limits", "Refusal"]

_JSON_LENGTH = "inference-header-content-length"
_RETRY_AFTER = {wire.RETRY_AFTER_HEADER: str(wire.RETRY_AFTER_S)}
_BYTES_PER_JSON_VALUE = 32  # a float in full, its comma and some white space
_HEAD_BYTES = 65_536
_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class Identity:
    """Which network answers, and the name of the service under which it does."""

    variant: str
    model: str
    signature: Signature
    accuracy: float | None = None  # a fraction, if it was measured of these very weights

    def check(self, names: Mapping[str, str]) -> None:
        """Raise Refusal unless the path's model, and version if it has one, are this one."""
        model, version = names["model"], names.get("version", self.variant)
        if model != self.model:
            raise Refusal(404, f"There is no model {model[:80]!r} here; there is {self.model}.")
        if version != self.variant:
            raise Refusal(
                404, f"There is no version {version[:80]!r} here; there is {self.variant}."
            )


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """What the server takes on; beyond that it refuses."""

    in_flight: int = 64  # requests that are read, wait or run
    batch: int = 8  # images in one request
    body_s: float = 10.0  # time for a request's body to arrive


class Refusal(Exception):
    """Why a request gets no result: an HTTP status and a sentence."""

    def __init__(
        self, status: int, sentence: str, headers: Mapping[str, str] | None = None
    ) -> None:
        super().__init__(sentence)
        self.status = status
        self.headers = dict(headers or {})


@dataclass(slots=True, kw_only=True)
class Inference:
    """Answers inference requests. `draining` and `closed` are set by whoever stops the server."""

    identity: Identity
    limits: Limits
    worker: Worker
    metrics: ServerMetrics
    draining: bool = False  # still answers, but wants no more requests
    closed: bool = False  # answers nothing any more
    _in_flight: int = field(default=0, init=False)

    @property
    def ready(self) -> bool:
        """Whether requests are welcome."""
        return self.worker.ready and not self.draining

    async def __call__(self, request: Request) -> Response:
        """Answer one request. Raises Refusal, which has been counted."""
        arrived = time.perf_counter()
        self.metrics.arrivals.inc()
        self._in_flight += 1
        try:
            response = await self._answer(request)
        except Refusal as refusal:
            self.metrics.count(refusal.status)
            raise
        finally:
            self._in_flight -= 1
        self.metrics.count(response.status_code)
        self.metrics.latency_seconds.observe(time.perf_counter() - arrived)
        return response

    def export(self) -> bytes:
        """The metrics as they are now."""
        self.metrics.in_flight.set(self._in_flight)
        self.metrics.ready.set(self.ready)
        return self.metrics.exposition()

    async def _answer(self, request: Request) -> Response:
        self.identity.check(request.path_params)
        self._check_open()
        body = await self._body(request)
        try:
            question = protocol.parse(
                body,
                request.headers.get(_JSON_LENGTH),
                self.identity.signature,
                self.limits.batch,
            )
            result = await self.worker.infer(question.batch)
            answer = self._answered(result, question)
        except protocol.BadTensor as error:
            raise Refusal(400, str(error)) from None
        except InferenceError as error:
            _log.error("An inference failed: %s", error)
            raise Refusal(500, "The inference failed; the server's log says why.") from None
        return _response(answer)

    def _answered(self, result: Floats, question: protocol.Question) -> protocol.Answer:
        identity = self.identity
        return protocol.encode(
            result,
            question,
            identity.signature,
            model=identity.model,
            version=identity.variant,
        )

    def _check_open(self) -> None:
        if self.closed:
            raise Refusal(wire.REFUSED_STATUS, "The server is shutting down.", _RETRY_AFTER)
        if not self.worker.ready:
            raise Refusal(wire.REFUSED_STATUS, "The model is still loading.", _RETRY_AFTER)
        if self._in_flight > self.limits.in_flight:
            raise Refusal(
                wire.REFUSED_STATUS,
                f"{self.limits.in_flight} requests are already waiting.",
                _RETRY_AFTER,
            )

    async def _body(self, request: Request) -> bytes:
        longest = self._longest_body()
        announced = request.headers.get("content-length", "0")
        if announced.isdecimal() and int(announced) > longest:
            raise _too_long(longest)
        try:
            async with asyncio.timeout(self.limits.body_s):
                body = await _read(request, longest)
            return encodings.unpacked(body, request.headers.get("content-encoding", ""), longest)
        except encodings.TooLong as error:
            raise Refusal(413, str(error)) from None
        except encodings.UnknownEncoding as error:
            raise Refusal(415, str(error)) from None
        except encodings.BadEncoding as error:
            raise Refusal(400, str(error)) from None
        except ClientDisconnect:
            raise Refusal(400, "The connection ended before the body did.") from None
        except TimeoutError:
            raise Refusal(
                408, f"The body did not arrive within {self.limits.body_s:g} seconds."
            ) from None

    def _longest_body(self) -> int:
        values = self.limits.batch * math.prod(self.identity.signature.input_shape)
        return values * _BYTES_PER_JSON_VALUE + _HEAD_BYTES


async def _read(request: Request, longest: int) -> bytes:
    body = bytearray()
    async for chunk in request.stream():
        body += chunk
        if len(body) > longest:
            raise _too_long(longest)
    return bytes(body)


def _too_long(longest: int) -> Refusal:
    return Refusal(413, f"The body is longer than {longest} bytes.")


def _response(answer: protocol.Answer) -> Response:
    if answer.json_bytes is None:
        return Response(answer.body, media_type="application/json")
    return Response(
        answer.body,
        media_type="application/octet-stream",
        headers={_JSON_LENGTH: str(answer.json_bytes)},
    )
