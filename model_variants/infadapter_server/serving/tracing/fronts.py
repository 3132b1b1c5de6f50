"""Spans of inference requests over HTTP and gRPC; other requests are not traced."""

from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from infadapter_profiles import wire
from infadapter_server.serving.tracing.context import RESPONSE
from infadapter_server.serving.tracing.spans import Request, Tracing

__all__ = ["traced_app", "traced_call", "traced_stream"]

_LONGEST_PATH = 256
_SERVICE = "inference.GRPCInferenceService"
_CLIENT_GONE = "client_gone"
_ROUTE = f"{wire.MODELS_PATH}/{{model}}/infer"


def traced_app(app: ASGIApp, tracing: Tracing) -> ASGIApp:
    """Trace an HTTP application, by OpenTelemetry's semantic conventions."""

    async def traced(scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or not _is_inference(scope):
            await app(scope, receive, send)
            return
        attributes = {
            "http.request.method": "POST",
            "http.route": _ROUTE,
            "url.path": scope["path"][:_LONGEST_PATH],
            "url.scheme": scope.get("scheme", "http"),
        }
        request = tracing.begin(f"POST {_ROUTE}", scope["headers"], attributes)
        status = 0

        async def sending(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                said = (RESPONSE.encode(), request.response.encode())
                message = {**message, "headers": [*message["headers"], said]}
            await send(message)

        try:
            await app(scope, receive, sending)
        finally:
            _end_http(request, status)

    return traced


def traced_call(
    method: Callable[[Any, Any], Awaitable[Any]], name: str, tracing: Tracing
) -> Callable[[Any, Any], Awaitable[Any]]:
    """Trace a unary gRPC method."""

    async def traced(message: Any, call: Any) -> Any:
        request = await _begin_call(name, call, tracing)
        try:
            return await method(message, call)
        finally:
            _end_call(request, call)

    return traced


def traced_stream(
    method: Callable[[Any, Any], AsyncIterator[Any]], name: str, tracing: Tracing
) -> Callable[[Any, Any], AsyncIterator[Any]]:
    """Trace a streaming gRPC method; all its messages are in one span."""

    async def traced(messages: Any, call: Any) -> AsyncIterator[Any]:
        request = await _begin_call(name, call, tracing)
        try:
            async for answer in method(messages, call):
                yield answer
        finally:
            _end_call(request, call)

    return traced


def _is_inference(scope: Scope) -> bool:
    path: str = scope["path"]
    return scope["method"] == "POST" and path.startswith(wire.MODELS_PATH) and "/infer" in path[-6:]


def _end_http(request: Request, status: int) -> None:
    if not status:
        request.end({}, _CLIENT_GONE)
        return
    failure = str(status) if status >= 500 else ""
    request.end({"http.response.status_code": status}, failure)


async def _begin_call(name: str, call: Any, tracing: Tracing) -> Request:
    attributes = {"rpc.system": "grpc", "rpc.service": _SERVICE, "rpc.method": name}
    headers = call.invocation_metadata() or ()
    request = tracing.begin(f"{_SERVICE}/{name}", headers, attributes)
    await call.send_initial_metadata(((RESPONSE, request.response),))
    return request


def _end_call(request: Request, call: Any) -> None:
    code = call.code()
    number = code.value[0] if hasattr(code, "value") else int(code or 0)
    request.end({"rpc.grpc.status_code": number}, str(number) if number else "")
