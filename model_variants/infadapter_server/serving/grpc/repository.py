"""Triton's model repository extension over gRPC, on the implementation of the REST routes."""

from collections.abc import Mapping
from typing import Any, Protocol

import orjson
from google.protobuf.json_format import ParseDict

from infadapter_server.serving.grpc import inference_pb2 as pb
from infadapter_server.serving.grpc.faults import explained
from infadapter_server.serving.refusal import Refusal

__all__ = ["RepositoryCalls", "RepositoryService"]

Request = pb.RepositoryModelLoadRequest | pb.RepositoryModelUnloadRequest
Given = Mapping[str, pb.ModelRepositoryParameter]


class Reply(Protocol):
    """An answer of the REST routes."""

    @property
    def status(self) -> int: ...
    @property
    def content(self) -> Any: ...
    @property
    def headers(self) -> Mapping[str, str]: ...


class RepositoryCalls(Protocol):
    """The implementation of the REST routes, called with a request body."""

    async def index(self, body: bytes) -> Reply: ...
    async def load(self, name: str, body: bytes) -> Reply: ...
    async def unload(self, name: str, body: bytes) -> Reply: ...


class RepositoryService:
    """The methods index, load and unload."""

    def __init__(self, calls: RepositoryCalls) -> None:
        self._calls = calls

    @explained
    async def index(self, request: pb.RepositoryIndexRequest, _: Any) -> pb.RepositoryIndexResponse:
        rows = _content(await self._calls.index(orjson.dumps({"ready": request.ready})))
        return ParseDict({"models": rows}, pb.RepositoryIndexResponse())

    @explained
    async def load(
        self, request: pb.RepositoryModelLoadRequest, _: Any
    ) -> pb.RepositoryModelLoadResponse:
        _content(await self._calls.load(request.model_name, _body(request)))
        return pb.RepositoryModelLoadResponse()

    @explained
    async def unload(
        self, request: pb.RepositoryModelUnloadRequest, _: Any
    ) -> pb.RepositoryModelUnloadResponse:
        _content(await self._calls.unload(request.model_name, _body(request)))
        return pb.RepositoryModelUnloadResponse()


def _content(reply: Reply) -> Any:
    if reply.status >= 400:
        raise Refusal(reply.status, str(reply.content["error"]), reply.headers)
    return reply.content


def _body(request: Request) -> bytes:
    parameters = {name: _value(parameter) for name, parameter in request.parameters.items()}
    return orjson.dumps({"parameters": parameters} if parameters else {})


def _value(parameter: pb.ModelRepositoryParameter) -> Any:
    choice = parameter.WhichOneof("parameter_choice")
    value = None if choice is None else getattr(parameter, choice)
    return value.decode("latin-1") if isinstance(value, bytes) else value
