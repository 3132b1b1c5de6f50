"""
The HTTP application: the Open Inference Protocol v2, health and metrics. Independent of networks
and torch.

Every answer names the variant in a header, since all variants of a service answer under the
service's name. Inference takes a short path of its own. Protocol:
https://github.com/kserve/open-inference-protocol (rest/inference_rest.md).
"""

from collections.abc import Mapping
from importlib.resources import files
from typing import Any

import orjson
from prometheus_client import CONTENT_TYPE_LATEST
from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response
from starlette.types import ASGIApp, Receive, Scope, Send

from infadapter_profiles import wire
from infadapter_server.serving.heads import Names, asked_of
from infadapter_server.serving.identity import Identity
from infadapter_server.serving.inference import Inference
from infadapter_server.serving.oip import metadata
from infadapter_server.serving.refusal import Refusal
from infadapter_server.serving.repository_api import RepositoryApi
from infadapter_server.serving.repository_routes import add_repository
from infadapter_server.serving.route import infer

__all__ = ["create_app"]

_VERSIONS = "versions"
_OPENAPI = "openapi.json"


def create_app(inference: Inference) -> ASGIApp:
    """
    Return the HTTP application of an inference route. The caller starts and stops the route's
    driver.
    """
    others = Starlette()
    others.router.redirect_slashes = False
    _add_health(others, inference)
    _add_models(others, inference)
    residence = inference.driver.residence
    api = RepositoryApi(residence.repository, residence.wishes, residence.allowances)
    add_repository(others, api, inference.variant)
    _add_faults(others, inference)

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        names = _asked(scope)
        if names is None:
            await others(scope, receive, send)
        else:
            await infer(inference, names, scope, receive, send)

    return app


def _asked(scope: Scope) -> Names | None:
    """Return model and version (if given) of an inference request."""
    infers = scope["type"] == "http" and scope["method"] == "POST"
    return asked_of(scope["path"]) if infers else None


def _add_health(app: Starlette, inference: Inference) -> None:
    variant, document = inference.variant, files(__package__).joinpath(_OPENAPI).read_bytes()

    async def live(_: Request) -> Response:
        alive = inference.driver.live
        return _json(variant, 200 if alive else 503, {"live": alive})

    async def ready(_: Request) -> Response:
        return _json(variant, 200 if inference.ready else 503, {"ready": inference.ready})

    async def server(_: Request) -> Response:
        return _json(variant, 200, metadata.server_metadata("model_repository"))

    async def metrics(_: Request) -> Response:
        return Response(
            inference.export(),
            headers={wire.VARIANT_HEADER: variant, "content-type": CONTENT_TYPE_LATEST},
        )

    async def openapi(_: Request) -> Response:
        headers = {wire.VARIANT_HEADER: variant}
        return Response(document, headers=headers, media_type="application/json")

    app.add_route("/openapi.json", openapi, ["GET"])
    app.add_route("/v2/health/live", live, ["GET"])
    app.add_route(wire.READY_PATH, ready, ["GET"])
    app.add_route("/v2", server, ["GET"])
    app.add_route(wire.METRICS_PATH, metrics, ["GET"])


def _add_models(app: Starlette, inference: Inference) -> None:
    def find(request: Request) -> Identity:
        names = request.path_params
        return inference.find(names["model"], names.get("version"))

    async def model(request: Request) -> Response:
        identity = find(request)
        content = metadata.model_metadata(
            identity.model,
            [identity.variant],
            identity.signature,
            inference.limits.batch,
            identity.accuracy,
            identity.platform,
            inference.driver.points(identity.model),
        )
        return _json(identity.variant, 200, content)

    async def config(request: Request) -> Response:
        identity = find(request)
        content = metadata.model_config(
            identity.model, identity.signature, inference.limits.batch, identity.platform
        )
        return _json(identity.variant, 200, content)

    async def ready(request: Request) -> Response:
        identity = find(request)
        there = inference.ready_for(identity.model)
        content = {"name": identity.model, "ready": there}
        return _json(identity.variant, 200 if there else 503, content)

    async def refuse(_: Request) -> Response:
        raise AssertionError("POST never comes here; others the route refuses by itself")

    model_path = f"{wire.MODELS_PATH}/{{model}}"
    for path in (model_path, f"{model_path}/{_VERSIONS}/{{version}}"):
        app.add_route(path, model, ["GET"])
        app.add_route(f"{path}/config", config, ["GET"])
        app.add_route(f"{path}/ready", ready, ["GET"])
        app.add_route(f"{path}/infer", refuse, ["POST"])


def _add_faults(app: Starlette, inference: Inference) -> None:
    variant = inference.variant

    async def refuse(_: Request, fault: Exception) -> Response:
        assert isinstance(fault, Refusal)
        return _json(variant, fault.status, {"error": str(fault)}, fault.headers)

    async def explain(request: Request, fault: Exception) -> Response:
        assert isinstance(fault, HTTPException)
        sentence = f"{fault.detail}: {request.method} {request.url.path}."
        return _json(variant, fault.status_code, {"error": sentence}, fault.headers)

    async def apologise(_: Request, __: Exception) -> Response:
        sentence = "The server made a mistake; its log says which."
        return _json(variant, 500, {"error": sentence})

    app.add_exception_handler(Refusal, refuse)
    app.add_exception_handler(HTTPException, explain)
    app.add_exception_handler(Exception, apologise)


def _json(
    variant: str,
    status: int,
    content: Mapping[str, Any],
    headers: Mapping[str, str] | None = None,
) -> Response:
    return Response(
        orjson.dumps(content),
        status,
        {wire.VARIANT_HEADER: variant, **(headers or {})},
        media_type="application/json",
    )
