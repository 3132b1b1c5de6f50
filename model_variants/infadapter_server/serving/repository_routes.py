"""The routes of Triton's model repository extension."""

from contextlib import suppress

import orjson
from starlette.applications import Starlette
from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response

from infadapter_profiles import wire
from infadapter_server.serving.repository_api import Reply, RepositoryApi

__all__ = ["add_repository"]

PATH = "/v2/repository"
LONGEST_BODY = 65_536
_TOO_LONG = Reply(413, {"error": f"The body is longer than {LONGEST_BODY} bytes."})


def add_repository(app: Starlette, api: RepositoryApi, variant: str) -> None:
    """Add the routes; `variant` is named in answers of the server that concern no model."""

    async def index(request: Request) -> Response:
        body = await _body(request)
        return _response(_TOO_LONG if body is None else await api.index(body), variant)

    async def load(request: Request) -> Response:
        body, name = await _body(request), request.path_params["model"]
        return _response(_TOO_LONG if body is None else await api.load(name, body), variant)

    async def unload(request: Request) -> Response:
        body, name = await _body(request), request.path_params["model"]
        return _response(_TOO_LONG if body is None else await api.unload(name, body), variant)

    async def points(request: Request) -> Response:
        body, name = await _body(request), request.path_params["model"]
        return _response(_TOO_LONG if body is None else await api.points(name, body), variant)

    async def allowed_points(request: Request) -> Response:
        return _response(await api.allowed_points(request.path_params["model"]), variant)

    app.add_route(f"{PATH}/index", index, ["POST"])
    app.add_route(f"{PATH}/models/{{model}}/load", load, ["POST"])
    app.add_route(f"{PATH}/models/{{model}}/unload", unload, ["POST"])
    app.add_route(f"{PATH}/models/{{model}}/points", points, ["POST"])
    app.add_route(f"{PATH}/models/{{model}}/points", allowed_points, ["GET"])


async def _body(request: Request) -> bytes | None:
    """Return the body; None if it is too long, or its client has gone."""
    body = bytearray()
    with suppress(ClientDisconnect):
        async for chunk in request.stream():
            body += chunk
            if len(body) > LONGEST_BODY:
                return None
        return bytes(body)
    return None


def _response(reply: Reply, variant: str) -> Response:
    return Response(
        b"" if reply.content is None else orjson.dumps(reply.content),
        reply.status,
        {wire.VARIANT_HEADER: variant, **reply.headers},
        media_type="application/json",
    )
