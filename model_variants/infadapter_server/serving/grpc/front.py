"""The gRPC front end: port, limits and shutdown, in the event loop of the HTTP front end."""

import math
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any

import grpc
from google.protobuf.message import Message

from infadapter_server.serving.bodies import Hold
from infadapter_server.serving.grpc import inference_pb2 as pb
from infadapter_server.serving.grpc.calls import Places, Stream, Unary
from infadapter_server.serving.grpc.repository import RepositoryCalls, RepositoryService
from infadapter_server.serving.grpc.service import Service
from infadapter_server.serving.inference import Inference
from infadapter_server.serving.offered import Offered
from infadapter_server.serving.refusal import Refusal

if TYPE_CHECKING:
    from infadapter_server.serving.tracing.spans import Tracing

__all__ = ["GrpcFront", "open_front"]

_SERVICE = "inference.GRPCInferenceService"
_FEWEST, _MOST = 64, 1024
"""
Bounds on concurrent inferences (between them as many as the body budget holds), and likewise on
streams and other calls.
"""

_BOUNDS = (
    ("grpc.max_send_message_length", -1),  # ours are as long as the networks make them
    ("grpc.so_reuseport", 0),  # or two servers would share a port without a word
    # Who has vanished without a word keeps no place, who never speaks or asks no connection.
    ("grpc.keepalive_time_ms", 60_000),
    ("grpc.keepalive_timeout_ms", 20_000),
    ("grpc.server_handshake_timeout_ms", 10_000),
    ("grpc.max_connection_idle_ms", 600_000),
)

_BYTES_PER_VALUE = 10  # a 64-bit number in the field of its datatype; in bytes it takes eight
_HEAD_BYTES = 65_536
_LEAST_LONGEST = 4 * 2**20  # gRPC's own bound, for models that come later


@dataclass(frozen=True, slots=True)
class GrpcFront:
    """A listening front end."""

    server: grpc.aio.Server
    port: int

    async def stop(self, within_s: float) -> None:
        """Accept no more calls, and wait this long for those in progress."""
        await self.server.stop(within_s)


async def open_front(
    inference: Inference,
    host: str,
    port: int,
    repository: RepositoryCalls,
    connections: int,
    tracing: "Tracing | None" = None,
) -> GrpcFront:
    """Listen, for this many connections; port 0 means any free port. Raises OSError."""
    longest = _longest_message(inference)
    most = max(_FEWEST, min(_MOST, inference.budget.most // longest))
    methods = _methods(inference, most, RepositoryService(repository), tracing)
    bounds = (
        ("grpc.max_receive_message_length", longest),
        ("grpc.max_allowed_incoming_connections", connections),
        *_BOUNDS,
    )
    server = grpc.aio.server(options=bounds)
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
    least = _LEAST_LONGEST if isinstance(inference.models, Offered) else 0
    return max(largest * _BYTES_PER_VALUE + _HEAD_BYTES, least)


def _methods(
    inference: Inference, most: int, repository: RepositoryService, tracing: "Tracing | None"
) -> "dict[str, grpc.RpcMethodHandler[Any, Any]]":
    service, counted = Service(inference), partial(_count, inference)
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
        "RepositoryIndex": (repository.index, pb.RepositoryIndexRequest),
        "RepositoryModelLoad": (repository.load, pb.RepositoryModelLoadRequest),
        "RepositoryModelUnload": (repository.unload, pb.RepositoryModelUnloadRequest),
    }
    within_s, places = inference.limits.body_s, Places(_MOST)
    calls = {name: Unary(*method, places, within_s) for name, method in unary.items()}
    asked = pb.ModelInferRequest
    calls["ModelInfer"] = Unary(infer, asked, Places(most, counted), within_s)
    stream = Stream(stream_infer, asked, Places(most, counted))
    return {
        **{
            name: grpc.stream_unary_rpc_method_handler(call.answer, response_serializer=_bytes)
            for name, call in calls.items()
        },
        "ModelStreamInfer": grpc.stream_stream_rpc_method_handler(
            stream.answers, response_serializer=_bytes
        ),
    }


def _count(inference: Inference, refusal: Refusal) -> None:
    arrived_s = inference.begin(inference.clock())
    inference.finish(Hold(inference.budget))
    inference.count_refused(refusal.reason, arrived_s)
    inference.metrics.count(refusal.status)


def _bytes(message: Any) -> bytes:
    content: bytes = message.SerializeToString()
    return content
