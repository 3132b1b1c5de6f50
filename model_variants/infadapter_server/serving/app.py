"""The HTTP side: the Open Inference Protocol v2, health and metrics.

It knows no network and no torch. Every answer names the variant in a header, since all variants
of a service answer under the service's name.
Protocol: https://github.com/kserve/open-inference-protocol (rest/inference_rest.md).
"""

from collections.abc import Mapping
from typing import Any

import orjson
from fastapi import FastAPI, Request, Response
from prometheus_client import CONTENT_TYPE_LATEST
from starlette.exceptions import HTTPException

from infadapter_profiles import wire
from infadapter_server.serving.inference import Identity, Inference, Refusal
from infadapter_server.serving.oip import metadata

__all__ = ["create_app"]

_READ = ["GET", "HEAD"]


def create_app(inference: Inference) -> FastAPI:
    """Return the HTTP application around an inference route.

    Whoever calls starts the route's worker, and stops it.
    """
    app = FastAPI(title="infadapter-server", openapi_url=None, redirect_slashes=False)
    _add_health(app, inference)
    _add_model(app, inference)
    _add_faults(app, inference)
    return app


def _add_health(app: FastAPI, inference: Inference) -> None:
    identity = inference.identity

    @app.api_route("/v2/health/live", methods=_READ)
    async def live() -> Response:
        return _json(identity, 200, {"live": True})

    @app.api_route(wire.READY_PATH, methods=_READ)
    async def ready() -> Response:
        return _json(identity, 200 if inference.ready else 503, {"ready": inference.ready})

    @app.api_route("/v2", methods=_READ)
    async def server() -> Response:
        return _json(identity, 200, metadata.server_metadata())

    @app.api_route(wire.METRICS_PATH, methods=_READ)
    async def metrics() -> Response:
        return Response(
            inference.export(),
            headers={wire.VARIANT_HEADER: identity.variant, "content-type": CONTENT_TYPE_LATEST},
        )


def _add_model(app: FastAPI, inference: Inference) -> None:
    identity = inference.identity

    async def model(request: Request) -> Response:
        identity.check(request.path_params)
        content = metadata.model_metadata(
            identity.model,
            [identity.variant],
            identity.signature,
            inference.limits.batch,
            identity.accuracy,
        )
        return _json(identity, 200, content)

    async def config(request: Request) -> Response:
        identity.check(request.path_params)
        content = metadata.model_config(identity.model, identity.signature, inference.limits.batch)
        return _json(identity, 200, content)

    async def ready(request: Request) -> Response:
        identity.check(request.path_params)
        content = {"name": identity.model, "ready": inference.ready}
        return _json(identity, 200 if inference.ready else 503, content)

    async def infer(request: Request) -> Response:
        response = await inference(request)
        response.headers[wire.VARIANT_HEADER] = identity.variant
        if inference.draining:
            response.headers["connection"] = "close"  # moves a router's connections elsewhere
        return response

    model_path = f"{wire.MODELS_PATH}/{{model}}"
    for path in (model_path, f"{model_path}/versions/{{version}}"):
        app.add_route(path, model, ["GET"])
        app.add_route(f"{path}/config", config, ["GET"])
        app.add_route(f"{path}/ready", ready, ["GET"])
        app.add_route(f"{path}/infer", infer, ["POST"])


def _add_faults(app: FastAPI, inference: Inference) -> None:
    identity = inference.identity

    async def refuse(_: Request, fault: Exception) -> Response:
        assert isinstance(fault, Refusal)
        return _json(identity, fault.status, {"error": str(fault)}, fault.headers)

    async def explain(request: Request, fault: Exception) -> Response:
        assert isinstance(fault, HTTPException)
        sentence = f"{fault.detail}: {request.method} {request.url.path}."
        return _json(identity, fault.status_code, {"error": sentence}, fault.headers)

    async def apologise(_: Request, __: Exception) -> Response:
        sentence = "The server made a mistake; its log says which."
        return _json(identity, 500, {"error": sentence})

    app.add_exception_handler(Refusal, refuse)
    app.add_exception_handler(HTTPException, explain)
    app.add_exception_handler(Exception, apologise)


def _json(
    identity: Identity,
    status: int,
    content: Mapping[str, Any],
    headers: Mapping[str, str] | None = None,
) -> Response:
    return Response(
        orjson.dumps(content),
        status,
        {wire.VARIANT_HEADER: identity.variant, **(headers or {})},
        media_type="application/json",
    )
