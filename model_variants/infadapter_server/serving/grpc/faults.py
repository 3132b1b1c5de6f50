"""Refusals in gRPC: a status code, a sentence, and when to retry."""

import functools
import logging
from collections.abc import Awaitable, Callable
from typing import Any, NoReturn, TypeVar

import grpc

from infadapter_profiles import wire
from infadapter_server.serving.refusal import Refusal

__all__ = ["code_of", "end", "explained"]

_CODES = {
    400: grpc.StatusCode.INVALID_ARGUMENT,
    404: grpc.StatusCode.NOT_FOUND,
    408: grpc.StatusCode.DEADLINE_EXCEEDED,
    409: grpc.StatusCode.FAILED_PRECONDITION,
    413: grpc.StatusCode.RESOURCE_EXHAUSTED,
    507: grpc.StatusCode.RESOURCE_EXHAUSTED,
    501: grpc.StatusCode.UNIMPLEMENTED,
    wire.REFUSED_STATUS: grpc.StatusCode.UNAVAILABLE,
}
_PUSHBACK = "grpc-retry-pushback-ms"  # what gRPC's own retry policies obey
_MS_PER_S = 1000
_log = logging.getLogger(__name__)

Context = Any
Asker = TypeVar("Asker")
Request = TypeVar("Request")
Response = TypeVar("Response")


def code_of(status: int) -> grpc.StatusCode:
    """Return the gRPC status for one of our HTTP statuses."""
    return _CODES.get(status, grpc.StatusCode.INTERNAL)


def explained(
    method: Callable[[Asker, Request, Context], Awaitable[Response]],
) -> Callable[[Asker, Request, Context], Awaitable[Response]]:
    """Wrap a method so that a Refusal ends the call with its status."""

    @functools.wraps(method)
    async def explaining(asker: Asker, request: Request, context: Context) -> Response:
        try:
            return await method(asker, request, context)
        except Refusal as refusal:
            await end(refusal, context)
        except grpc.aio.AbortError:
            raise  # it has been explained already
        except Exception:  # noqa: BLE001 - a mistake of ours is one call's, and is logged
            _log.exception("A call met a mistake of the server.")
            await end(Refusal(500, "The server made a mistake; its log says which."), context)

    return explaining


async def end(refusal: Refusal, context: Context) -> NoReturn:
    """End the call with a refusal's status."""
    trailing = [*context.trailing_metadata(), *refusal.headers.items()]
    after_s = refusal.headers.get(wire.RETRY_AFTER_HEADER)
    if after_s is not None:
        trailing.append((_PUSHBACK, str(int(after_s) * _MS_PER_S)))
    await context.abort(code_of(refusal.status), str(refusal), tuple(trailing))
    raise AssertionError("abort raises")
