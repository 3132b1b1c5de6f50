"""The gRPC front: its port, its bounds and its end, in the event loop of the HTTP side."""

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import grpc
from google.protobuf.message import Message

from infadapter_server.serving.grpc import inference_pb2 as pb
from infadapter_server.serving.grpc.repository import RepositoryCalls, RepositoryService
from infadapter_server.serving.grpc.service import Service
from infadapter_server.serving.inference import Inference

if TYPE_CHECKING:
    from infadapter_server.serving.tracing.spans import Tracing

__all__ = ["GrpcFront", "open_front"]

_SERVICE = "inference.GRPCInferenceService"
_FEWEST, _MOST = 64, 1024
"""Calls at once, between as many as the budget for bodies holds; gRPC itself refuses the others."""

_BYTES_PER_VALUE = 10  # a 64-bit number in the field of its datatype; in bytes it takes eight
_HEAD_BYTES = 65_536
_LEAST_LONGEST = 4 * 2**20  # gRPC's own bound, for models that come later


@dataclass(frozen=True, slots=True)
class GrpcFront:
    """A front that listens."""

    server: grpc.aio.Server
    port: int

    async def stop(self, within_s: float) -> None:
        """Take no more calls, and wait so long for those that are being answered."""
        await self.server.stop(within_s)


async def open_front(
    inference: Inference,
    host: str,
    port: int,
    repository: RepositoryCalls,
    tracing: "Tracing | None" = None,
) -> GrpcFront:
    """Listen; port 0 is any that is free. Raises OSError."""
    methods = _methods(Service(inference), RepositoryService(repository), tracing)
    longest = _longest_message(inference)
    server = grpc.aio.server(
        options=(
            ("grpc.max_receive_message_length", longest),
            ("grpc.max_send_message_length", -1),  # ours are as long as the networks make them
            ("grpc.so_reuseport", 0),  # or two servers would share a port without a word
        ),
        maximum_concurrent_rpcs=max(_FEWEST, min(_MOST, inference.budget.most // longest)),
    )
    handlers = grpc.method_handlers_generic_handler(_SERVICE, methods)
    server.add_generic_rpc_handlers((handlers,))
    shown = f"[{host}]" if ":" in host else host
    try:
        bound = server.add_insecure_port(f"{shown}:{port}")
    except RuntimeError as error:
        raise OSError(f"gRPC cannot listen on {shown}:{port}") from error
    await server.start()
    return GrpcFront(server, bound)


def _longest_message(inference: Inference) -> int:
    values = [math.prod(known.signature.input_shape) for known in inference.models.values()]
    largest = max(values, default=0) * inference.limits.batch
    return max(largest * _BYTES_PER_VALUE + _HEAD_BYTES, _LEAST_LONGEST)


def _methods(
    service: Service, repository: RepositoryService, tracing: "Tracing | None"
) -> "dict[str, grpc.RpcMethodHandler[Any, Any]]":
    infer: Callable[..., Any] = service.model_infer
    stream_infer: Callable[..., Any] = service.model_stream_infer
    if tracing is not None:
        from infadapter_server.serving.tracing.fronts import traced_call, traced_stream

        infer = traced_call(infer, "ModelInfer", tracing)
        stream_infer = traced_stream(stream_infer, "ModelStreamInfer", tracing)
    unary: dict[str, tuple[Callable[..., Any], type[Message]]] = {
        "ServerLive": (service.server_live, pb.ServerLiveRequest),
        "ServerReady": (service.server_ready, pb.ServerReadyRequest),
        "ServerMetadata": (service.server_metadata, pb.ServerMetadataRequest),
        "ModelReady": (service.model_ready, pb.ModelReadyRequest),
        "ModelMetadata": (service.model_metadata, pb.ModelMetadataRequest),
        "ModelConfig": (service.model_config, pb.ModelConfigRequest),
        "ModelInfer": (infer, pb.ModelInferRequest),
        "RepositoryIndex": (repository.index, pb.RepositoryIndexRequest),
        "RepositoryModelLoad": (repository.load, pb.RepositoryModelLoadRequest),
        "RepositoryModelUnload": (repository.unload, pb.RepositoryModelUnloadRequest),
    }
    handlers = {
        name: grpc.unary_unary_rpc_method_handler(method, request.FromString, _bytes)
        for name, (method, request) in unary.items()
    }
    stream = grpc.stream_stream_rpc_method_handler(
        stream_infer, pb.ModelInferRequest.FromString, _bytes
    )
    return {**handlers, "ModelStreamInfer": stream}


def _bytes(message: Any) -> bytes:
    content: bytes = message.SerializeToString()
    return content
