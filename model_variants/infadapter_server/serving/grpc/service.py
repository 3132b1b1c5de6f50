"""The methods of inference.GRPCInferenceService."""

from collections.abc import AsyncIterator, Mapping
from functools import partial
from typing import Any

import grpc
from google.protobuf.json_format import ParseDict

from infadapter_profiles import wire
from infadapter_server.serving.answering import Answering, Asked
from infadapter_server.serving.grpc import inference_pb2 as pb
from infadapter_server.serving.grpc import messages
from infadapter_server.serving.grpc.faults import explained
from infadapter_server.serving.identity import Identity
from infadapter_server.serving.inference import Inference
from infadapter_server.serving.oip import metadata
from infadapter_server.serving.protocol import Question
from infadapter_server.serving.refusal import Refusal

__all__ = ["Service"]

Context = grpc.aio.ServicerContext[Any, Any]
Terms = Mapping[str, bytes]
"""Call metadata: the deadline and the accuracy floor."""


class Service:
    """The service of one server. Faults end a call with a status and a sentence."""

    def __init__(self, inference: Inference) -> None:
        self._inference = inference
        self._answer = Answering(inference)

    async def server_live(self, _: pb.ServerLiveRequest, __: Context) -> pb.ServerLiveResponse:
        return pb.ServerLiveResponse(live=self._inference.driver.live)

    async def server_ready(self, _: pb.ServerReadyRequest, __: Context) -> pb.ServerReadyResponse:
        return pb.ServerReadyResponse(ready=self._inference.ready)

    async def server_metadata(
        self, _: pb.ServerMetadataRequest, __: Context
    ) -> pb.ServerMetadataResponse:
        return ParseDict(metadata.server_metadata("model_repository"), pb.ServerMetadataResponse())

    @explained
    async def model_ready(self, request: pb.ModelReadyRequest, _: Context) -> pb.ModelReadyResponse:
        identity = self._find(request.name, request.version)
        return pb.ModelReadyResponse(ready=self._inference.ready_for(identity.model))

    @explained
    async def model_metadata(
        self, request: pb.ModelMetadataRequest, _: Context
    ) -> pb.ModelMetadataResponse:
        identity = self._find(request.name, request.version)
        limits = self._inference.limits
        content = metadata.model_metadata(
            identity.model,
            [identity.variant],
            identity.signature,
            limits.batch,
            platform=identity.platform,
        )
        return ParseDict(content, pb.ModelMetadataResponse(), ignore_unknown_fields=True)

    @explained
    async def model_config(
        self, request: pb.ModelConfigRequest, _: Context
    ) -> pb.ModelConfigResponse:
        identity = self._find(request.name, request.version)
        content = metadata.model_config(
            identity.model,
            identity.signature,
            self._inference.limits.batch,
            identity.platform,
        )
        return pb.ModelConfigResponse(config=ParseDict(content, pb.ModelConfig()))

    @explained
    async def model_infer(
        self, request: pb.ModelInferRequest, context: Context
    ) -> pb.ModelInferResponse:
        context.set_trailing_metadata(((wire.VARIANT_HEADER, self._inference.variant),))
        return await self._infer(request, _terms(context), context.time_remaining())

    async def model_stream_infer(
        self, requests: AsyncIterator[pb.ModelInferRequest], context: Context
    ) -> AsyncIterator[pb.ModelStreamInferResponse]:
        """
        Answer each request of a stream in turn; a fault is sent as a message and does not end the
        stream.
        """
        terms = _terms(context)
        async for request in requests:
            try:
                answer = await self._infer(request, terms, context.time_remaining())
            except Refusal as refusal:
                empty = pb.ModelInferResponse(id=request.id)
                yield pb.ModelStreamInferResponse(error_message=str(refusal), infer_response=empty)
            else:
                yield pb.ModelStreamInferResponse(infer_response=answer)

    async def _infer(
        self, request: pb.ModelInferRequest, terms: Terms, remaining_s: float | None
    ) -> pb.ModelInferResponse:
        asked = Asked(
            model=request.model_name,
            version=request.model_version or None,
            read=partial(self._read, request),
            deadline=terms.get(wire.DEADLINE_HEADER),
            floor=terms.get(wire.FLOOR_HEADER),
            remaining_s=remaining_s,
        )
        given = await self._answer(asked)
        identity = given.identity
        return messages.answer(
            given.result,
            given.question,
            identity.signature,
            model=identity.model,
            version=identity.variant,
            point=given.point,
        )

    def _read(self, request: pb.ModelInferRequest, identity: Identity) -> Question:
        return messages.question(request, identity.signature, self._inference.limits.batch)

    def _find(self, name: str, version: str) -> Identity:
        return self._inference.find(name, version or None)


def _terms(context: Context) -> Terms:
    found: dict[str, bytes] = {}
    for name, value in context.invocation_metadata() or ():
        text = value if isinstance(value, bytes) else value.encode()
        if name == wire.FLOOR_HEADER and name in found:
            found[name] += b"," + text
        elif name in (wire.DEADLINE_HEADER, wire.FLOOR_HEADER):
            found[name] = text
    return found
