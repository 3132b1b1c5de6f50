"""gRPC calls to a server in this process, around a network that takes as long as the test wants."""

import asyncio
import gc
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

import grpc
import numpy as np
import pytest

from infadapter_server.serving.grpc import inference_pb2 as pb
from infadapter_server.serving.grpc.front import open_front
from tests.model_variants.serving_world import Running, Summing, running, until
from tests.patience import PATIENCE_S

SERVICE = "/inference.GRPCInferenceService/"
CONNECTIONS = 64


@dataclass(frozen=True)
class Caller:
    channel: grpc.aio.Channel
    server: Running
    port: int

    async def __call__(self, method: str, request: Any, answer: Any, **options: Any) -> Any:
        call = self.channel.unary_unary(SERVICE + method, _bytes, answer.FromString)
        return await call(request, timeout=options.pop("timeout", PATIENCE_S), **options)

    async def infer(self, request: pb.ModelInferRequest, **options: Any) -> Any:
        return await self("ModelInfer", request, pb.ModelInferResponse, **options)

    async def fault(self, request: Any, method: str = "ModelInfer", **options: Any) -> Any:
        with pytest.raises(grpc.aio.AioRpcError) as ended:
            await self(method, request, pb.ModelInferResponse, **options)
        return ended.value


@dataclass(frozen=True)
class Reply:
    status: int = 200
    content: Any = None
    headers: Mapping[str, str] = field(default_factory=dict)


class Shelf:
    """A repository that remembers what it was asked."""

    def __init__(self) -> None:
        self.asked: list[tuple[str, bytes]] = []

    async def index(self, body: bytes) -> Reply:
        self.asked.append(("index", body))
        return Reply(content=[{"name": "a", "version": "1", "state": "READY", "reason": ""}])

    async def load(self, name: str, body: bytes) -> Reply:
        self.asked.append((f"load {name}", body))
        return Reply()

    async def unload(self, name: str, body: bytes) -> Reply:
        return Reply(404, {"error": f"There is no model {name}."})


def _bytes(message: Any) -> bytes:
    content: bytes = message.SerializeToString()
    return content


@asynccontextmanager
async def calling(
    model: Summing | None = None,
    *,
    repository: Any = None,
    connections: int = CONNECTIONS,
    **limits: Any,
) -> AsyncIterator[Caller]:
    async with running(model, **limits) as server:
        shelf = repository or Shelf()
        front = await open_front(server.inference, "127.0.0.1", 0, shelf, connections)
        async with grpc.aio.insecure_channel(f"127.0.0.1:{front.port}") as channel:
            yield Caller(channel, server, front.port)
        server.model.may_compute.set()
        await front.stop(PATIENCE_S)


def question(*rows: tuple[float, float], **fields: Any) -> pb.ModelInferRequest:
    values = np.asarray(rows or ((1, 2),), "<f4")
    tensor = {"name": "image", "datatype": "FP32", "shape": values.shape}
    raw = [values.tobytes()]
    return pb.ModelInferRequest(
        **{"model_name": "sums", "inputs": [tensor], "raw_input_contents": raw} | fields
    )


def typed(datatype: str, **contents: Any) -> pb.ModelInferRequest:
    tensor = {"name": "image", "datatype": datatype, "shape": [1, 2], "contents": contents}
    return pb.ModelInferRequest(model_name="sums", inputs=[tensor])


async def test_an_answer_holds_the_networks_values_and_the_id() -> None:
    async with calling() as caller:
        answer = await caller.infer(question((1, 2), (3, 4), id="seven"))
    assert (answer.model_name, answer.model_version, answer.id) == ("sums", "tiny", "seven")
    assert (answer.outputs[0].datatype, list(answer.outputs[0].shape)) == ("FP32", [2, 1])
    assert np.frombuffer(answer.raw_output_contents[0], "<f4").tolist() == [3, 7]


@pytest.mark.parametrize(
    "request_",
    [
        typed("FP32", fp32_contents=[1, 2]),
        typed("FP64", fp64_contents=[1, 2]),
        typed("INT8", int_contents=[1, 2]),
        typed("INT64", int64_contents=[1, 2]),
        typed("UINT16", uint_contents=[1, 2]),
        typed("UINT64", uint64_contents=[1, 2]),
    ],
    ids=lambda request: request.inputs[0].datatype,
)
async def test_values_may_come_in_the_field_of_their_datatype(
    request_: pb.ModelInferRequest,
) -> None:
    async with calling() as caller:
        answer = await caller.infer(request_)
    assert np.frombuffer(answer.raw_output_contents[0], "<f4").tolist() == [3]


@pytest.mark.parametrize(
    ("request_", "code", "says"),
    [
        (question(model_name="other"), "NOT_FOUND", "no model 'other'"),
        (question(model_version="7"), "NOT_FOUND", "no version '7'"),
        (question(raw_input_contents=[b"1234"]), "INVALID_ARGUMENT", "it holds 1"),
        (question(raw_input_contents=[b""] * 2), "INVALID_ARGUMENT", "holds 2 tensors"),
        (question(raw_input_contents=[]), "INVALID_ARGUMENT", "it holds 0"),
        (question(inputs=[], raw_input_contents=[]), "INVALID_ARGUMENT", "list of one tensor"),
        (question((float("nan"), 1)), "INVALID_ARGUMENT", "finite"),
        (typed("BYTES", bytes_contents=[b"a"]), "INVALID_ARGUMENT", "'BYTES'; it must be FP32"),
        (typed("FP16"), "INVALID_ARGUMENT", "it holds 0"),
        (typed("INT8", int_contents=[1, 999]), "INVALID_ARGUMENT", "no INT8"),
        (
            question(outputs=[{"name": "other"}]),
            "INVALID_ARGUMENT",
            "no output 'other'; there is logits",
        ),
        (
            question(parameters={"timeout": pb.InferParameter(int64_param=-1)}),
            "INVALID_ARGUMENT",
            "timeout",
        ),
        (question(*[(0, 0)] * 9), "INVALID_ARGUMENT", "n from 1 to 8"),
    ],
)
async def test_what_is_wrong_is_a_code_and_a_sentence(
    request_: pb.ModelInferRequest, code: str, says: str
) -> None:
    async with calling() as caller:
        fault = await caller.fault(request_)
        assert (fault.code().name, says in fault.details()) == (code, True), fault.details()
        assert (await caller.infer(question())).outputs


async def test_a_message_that_is_too_long_is_refused_before_it_is_read() -> None:
    async with calling() as caller:
        fault = await caller.fault(question(raw_input_contents=[bytes(5_000_000)]))
        assert fault.code() is grpc.StatusCode.RESOURCE_EXHAUSTED
        assert (await caller.infer(question())).outputs


async def test_a_refusal_says_when_to_try_again() -> None:
    async with calling() as caller:
        caller.server.inference.closed = True
        fault = await caller.fault(question())
    trailing = dict(fault.trailing_metadata())
    assert fault.code() is grpc.StatusCode.UNAVAILABLE
    assert (trailing["retry-after"], trailing["grpc-retry-pushback-ms"]) == ("1", "1000")
    assert trailing["infadapter-variant"] == "tiny"


async def test_the_calls_deadline_is_the_requests() -> None:
    async with calling(Summing(takes_s=0.2)) as caller:
        fault = await caller.fault(question(), timeout=0.05)
        assert fault.code() in (
            grpc.StatusCode.UNAVAILABLE,  # it could not be in time, and was refused at once
            grpc.StatusCode.DEADLINE_EXCEEDED,
        )
        assert (await caller.infer(question(), timeout=PATIENCE_S)).outputs


async def test_the_header_of_the_service_bounds_it_too() -> None:
    async with calling(Summing(takes_s=0.2)) as caller:
        fault = await caller.fault(question(), metadata=(("infadapter-deadline-ms", "20"),))
        assert fault.code() is grpc.StatusCode.UNAVAILABLE


async def test_who_has_gone_is_not_computed_for(caplog: pytest.LogCaptureFixture) -> None:
    async with calling() as caller:
        caller.server.model.hold()
        first = asyncio.create_task(caller.infer(question()))
        await caller.server.model.holds()
        second = asyncio.create_task(caller.infer(question((5, 5))))
        await until(lambda: caller.server.driver.unanswered == 2)
        second.cancel()
        await until(lambda: caller.server.driver.unanswered == 1)
        caller.server.model.may_compute.set()
        await first
        assert await caller.server.outcome("gone") == 1
    del second
    gc.collect()
    assert "never retrieved" not in caplog.text


async def test_a_batch_that_cannot_be_computed_is_internal_and_tells_no_secrets() -> None:
    async with calling() as caller:
        fault = await caller.fault(question((-1, 2)))
    assert fault.code() is grpc.StatusCode.INTERNAL
    assert "secret" not in fault.details()


async def test_calls_are_counted_as_rest_is() -> None:
    async with calling() as caller:
        await caller.infer(question())
        await caller.fault(question(model_name="other"))
        server = caller.server
        assert await server.metric("infadapter_server_arrivals_total") == 2
        for code in ("200", "404"):
            assert await server.metric("infadapter_server_requests_total", code=code) == 1
        assert await server.metric("infadapter_server_in_flight") == 0


async def test_a_stream_is_answered_in_its_order_and_a_fault_ends_nothing() -> None:
    async with calling() as caller:
        stream = caller.channel.stream_stream(
            SERVICE + "ModelStreamInfer", _bytes, pb.ModelStreamInferResponse.FromString
        )
        asked = [question(id="1"), question(id="2", model_name="other"), question(id="3")]
        answers = [answer async for answer in stream(iter(asked), timeout=PATIENCE_S)]
    assert [answer.infer_response.id for answer in answers] == ["1", "2", "3"]
    assert [bool(answer.error_message) for answer in answers] == [False, True, False]


async def test_health_and_metadata() -> None:
    async with calling() as caller:
        named = {"name": "sums"}
        assert (await caller("ServerLive", pb.ServerLiveRequest(), pb.ServerLiveResponse)).live
        assert (await caller("ServerReady", pb.ServerReadyRequest(), pb.ServerReadyResponse)).ready
        request: Any = pb.ModelReadyRequest(**named)
        assert (await caller("ModelReady", request, pb.ModelReadyResponse)).ready
        said = await caller("ServerMetadata", pb.ServerMetadataRequest(), pb.ServerMetadataResponse)
        assert "classification" in said.extensions
        request = pb.ModelMetadataRequest(**named)
        about = await caller("ModelMetadata", request, pb.ModelMetadataResponse)
        assert (list(about.versions), list(about.inputs[0].shape)) == (["tiny"], [-1, 2])
        request = pb.ModelConfigRequest(**named)
        config = await caller("ModelConfig", request, pb.ModelConfigResponse)
        assert config.config.max_batch_size == 8
        for method in ("ModelReady", "ModelMetadata", "ModelConfig"):
            fault = await caller.fault(pb.ModelReadyRequest(name="other"), method)
            assert fault.code() is grpc.StatusCode.NOT_FOUND


async def test_a_repository_is_asked_what_rest_asks_it() -> None:
    shelf = Shelf()
    async with calling(repository=shelf) as caller:
        request: Any = pb.RepositoryIndexRequest(ready=True)
        index = await caller("RepositoryIndex", request, pb.RepositoryIndexResponse)
        request = pb.RepositoryModelLoadRequest(model_name="a")
        await caller("RepositoryModelLoad", request, pb.RepositoryModelLoadResponse)
        request = pb.RepositoryModelUnloadRequest(model_name="b")
        fault = await caller.fault(request, "RepositoryModelUnload")
    assert [(model.name, model.state) for model in index.models] == [("a", "READY")]
    assert shelf.asked == [("index", b'{"ready":true}'), ("load a", b"{}")]
    assert (fault.code(), fault.details()) == (
        grpc.StatusCode.NOT_FOUND,
        "There is no model b.",
    )


async def test_a_port_that_is_taken_is_an_error() -> None:
    async with running() as server:
        front = await open_front(server.inference, "127.0.0.1", 0, Shelf(), CONNECTIONS)
        with pytest.raises(OSError, match="cannot listen"):
            await open_front(server.inference, "127.0.0.1", front.port, Shelf(), CONNECTIONS)
        await front.stop(0)


# --- calls at once -----------------------------------------------------------------------------

FEWEST = 64


async def test_streams_that_only_wait_leave_room_for_calls_and_for_health() -> None:
    async with calling(held_bytes=1) as caller:
        method: Any = caller.channel.stream_stream(SERVICE + "ModelStreamInfer", _bytes)
        streams = [method() for _ in range(FEWEST)]
        for stream in streams:
            await stream.write(question())
            assert await stream.read()
        with pytest.raises(grpc.aio.AioRpcError) as refused:
            await method().read()
        assert refused.value.code() is grpc.StatusCode.UNAVAILABLE
        assert refused.value.details() == "64 calls are under way already."
        assert dict(refused.value.trailing_metadata() or ())["retry-after"] == "1"
        assert (
            await caller.server.metric("infadapter_server_refused_total", reason="connections") == 1
        )
        assert (await caller.infer(question())).model_name == "sums"
        assert (await caller("ServerLive", pb.ServerLiveRequest(), pb.ServerLiveResponse)).live
        streams[0].cancel()
        for stream in streams[1:]:
            await stream.done_writing()
            assert await stream.read() is grpc.aio.EOF
        last = method()
        await last.write(question())
        assert await last.read()
        last.cancel()


async def test_connections_beyond_the_bound_are_not_taken_until_one_has_closed() -> None:
    async with calling(connections=2) as caller:
        await caller.infer(question())
        async with connected(caller.port) as idle:
            assert await idle.read(1)
            async with connected(caller.port) as refused:
                assert await refused.read() == b""
            assert (await caller.infer(question())).model_name == "sums"
        async with asyncio.timeout(PATIENCE_S):
            while not await is_taken(caller.port):
                pass


@asynccontextmanager
async def connected(port: int) -> AsyncIterator[asyncio.StreamReader]:
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    try:
        yield reader
    finally:
        writer.close()
        await writer.wait_closed()


async def is_taken(port: int) -> bool:
    """A server says first which settings of HTTP/2 it has."""
    async with connected(port) as reader:
        return await reader.read(1) != b""


async def test_calls_that_leave_before_their_message_is_there_give_their_place_back() -> None:
    async with calling(held_bytes=1) as caller:
        method: Any = caller.channel.stream_unary(SERVICE + "ModelInfer")
        for _ in range(2):
            calls = [method() for _ in range(FEWEST)]
            await asyncio.gather(*(call.wait_for_connection() for call in calls))
            for call in calls:
                call.cancel()
        answers = await asyncio.gather(*(caller.infer(question()) for _ in range(FEWEST)))
        assert len(answers) == FEWEST


@pytest.mark.parametrize(
    ("messages", "code", "said"),
    [
        ([b"\xff\xff"], grpc.StatusCode.INVALID_ARGUMENT, "The message is no ModelInferRequest."),
        ([], grpc.StatusCode.INVALID_ARGUMENT, "The call has no message."),
        (None, grpc.StatusCode.DEADLINE_EXCEEDED, "The message did not arrive within 0.1 seconds."),
    ],
)
async def test_a_message_that_is_none_or_does_not_come_is_a_sentence(
    messages: list[bytes] | None, code: grpc.StatusCode, said: str, caplog: pytest.LogCaptureFixture
) -> None:
    async with calling(body_s=0.1) as caller:
        call: Any = caller.channel.stream_unary(SERVICE + "ModelInfer")()
        for message in messages or []:
            await call.write(message)
        if messages is not None:
            await call.done_writing()
        with pytest.raises(grpc.aio.AioRpcError) as ended:
            await call
        assert (ended.value.code(), ended.value.details()) == (code, said)
    assert caplog.messages == []


async def test_a_stream_of_something_else_ends_with_a_sentence() -> None:
    async with calling() as caller:
        stream: Any = caller.channel.stream_stream(SERVICE + "ModelStreamInfer")()
        await stream.write(b"\xff\xff")
        with pytest.raises(grpc.aio.AioRpcError) as ended:
            await stream.read()
        assert ended.value.code() is grpc.StatusCode.INVALID_ARGUMENT
