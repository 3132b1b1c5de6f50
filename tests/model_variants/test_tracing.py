"""Traces: whose a span is, what is below it, and that nothing is done where none is asked for."""

import asyncio
import json
import os
import random
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import AsyncIterator, Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from typing import Any

import grpc
import httpx
import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from opentelemetry.trace import get_current_span

from infadapter_server.serving.app import create_app
from infadapter_server.serving.grpc import inference_pb2 as pb
from infadapter_server.serving.grpc.front import open_front
from infadapter_server.serving.repository_api import RepositoryApi
from infadapter_server.serving.tracing.context import parent_of
from infadapter_server.serving.tracing.fronts import traced_app
from infadapter_server.serving.tracing.spans import Tracing
from infadapter_server.serving.tracing.start import exporters_wanted, open_tracing
from tests.model_variants.serving_world import INFER, QUESTION, Running, question, running, until

TRACE, SPAN = "4bf92f3577b34da6a3ce929d0e0e4736", "00f067aa0ba902b7"
PARENT = f"00-{TRACE}-{SPAN}-01"


class Traced:
    """A server whose spans are kept."""

    def __init__(self, server: Running) -> None:
        self.exporter, provider = InMemorySpanExporter(), TracerProvider()
        provider.add_span_processor(SimpleSpanProcessor(self.exporter))
        self.tracing, self.server = Tracing(provider), server
        server.inference.driver.observe(self.tracing)
        app = traced_app(create_app(server.inference), self.tracing)
        transport = httpx.ASGITransport(app)
        self.client = httpx.AsyncClient(transport=transport, base_url="http://server")

    def spans(self, *names: str) -> list[ReadableSpan]:
        kept = self.exporter.get_finished_spans()
        return [span for span in kept if not names or span.name in names]

    def one(self, name: str) -> ReadableSpan:
        (span,) = self.spans(name)
        return span


REQUEST = "POST /v2/models/{model}/infer"


@pytest.fixture
async def traced() -> AsyncIterator[Traced]:
    async with running() as server:
        traced = Traced(server)
        async with traced.client:
            yield traced


def of(span: ReadableSpan) -> int:
    assert span.parent is not None
    number: int = span.parent.span_id
    return number


def identity(span: ReadableSpan) -> int:
    assert span.context is not None
    number: int = span.context.span_id
    return number


async def test_a_request_is_in_the_trace_of_its_caller(traced: Traced) -> None:
    headers = {"traceparent": PARENT, "tracestate": "vendor=1,other=2"}
    answer = await traced.client.post(INFER, json=QUESTION, headers=headers)
    span = traced.one(REQUEST)
    assert span.context is not None
    assert (f"{span.context.trace_id:032x}", f"{of(span):016x}") == (TRACE, SPAN)
    assert span.context.trace_state.to_header() == "vendor=1,other=2"
    assert answer.headers["traceresponse"] == f"00-{TRACE}-{identity(span):016x}-01"
    assert dict(span.attributes or {}) == {
        "http.request.method": "POST",
        "http.route": "/v2/models/{model}/infer",
        "url.path": INFER,
        "url.scheme": "http",
        "http.response.status_code": 200,
    }


async def test_below_it_are_its_queue_and_its_execution_one_after_the_other(
    traced: Traced,
) -> None:
    await traced.client.post(INFER, json=QUESTION)
    request, queue, execution, batch = map(
        traced.one, (REQUEST, "queue", "execution", "batch sums")
    )
    assert of(queue) == of(execution) == of(batch) == identity(request)
    assert [link.context.span_id for link in execution.links] == [identity(batch)]
    assert [link.context.span_id for link in batch.links] == [identity(request)]
    times = (queue.start_time, queue.end_time, execution.start_time, execution.end_time)
    assert sorted(time or 0 for time in times) == list(times)
    slack_ns = 5_000_000  # the clocks of both kinds are read one after the other
    assert (request.start_time or 0) - slack_ns < (queue.start_time or 0)
    assert (execution.end_time or 0) < (request.end_time or 0) + slack_ns
    assert dict(execution.attributes or {}) == {
        "infadapter.model": "sums",
        "infadapter.batch.images": 1,
        "infadapter.request.images": 1,
    }
    assert (batch.attributes or {})["infadapter.executor"] == "executor"


async def test_a_batch_is_linked_to_all_requests_that_it_served(traced: Traced) -> None:
    model = traced.server.model
    model.hold()
    first = asyncio.create_task(traced.client.post(INFER, json=QUESTION))
    await model.holds()
    others = [
        asyncio.create_task(traced.client.post(INFER, json=question(*rows)))
        for rows in ([(1, 2)], [(3, 4)], [(1, 2), (3, 4)])
    ]
    await until(lambda: traced.server.inference.driver.unanswered == 5)
    model.may_compute.set()
    answers = await asyncio.gather(first, *others)
    assert {answer.status_code for answer in answers} == {200}
    requests = {identity(span) for span in traced.spans(REQUEST)}
    assert len(requests) == 4
    batches = traced.spans("batch sums")
    sizes = [int((batch.attributes or {})["infadapter.batch.images"]) for batch in batches]  # type: ignore[arg-type]
    assert sum(sizes) == 5
    if max(sizes) > 2:  # where the machine stood still meanwhile, requests run one by one
        assert max(len(batch.links) for batch in batches) >= 2
    assert {link.context.span_id for batch in batches for link in batch.links} == requests
    served = [
        int((span.attributes or {})["infadapter.request.images"])  # type: ignore[arg-type]
        for span in traced.spans("execution")
    ]
    assert sum(served) == 5
    assert len(traced.spans("queue")) == 4
    assert not traced.tracing._traced


async def test_what_fails_and_what_is_refused_says_so(traced: Traced) -> None:
    await traced.client.post(INFER, json=question((-1, 2)))
    failed, execution = traced.one(REQUEST), traced.one("execution")
    assert (failed.attributes or {})["error.type"] == "500"
    assert not execution.status.is_ok
    assert "a secret of the network" in (execution.status.description or "")
    traced.exporter.clear()
    traced.server.inference.closed = True
    await traced.client.post(INFER, json=QUESTION)
    await traced.client.post(INFER.replace("sums", "none"), json=QUESTION)
    refused, unknown = traced.spans()  # and nothing else
    assert (refused.attributes or {})["http.response.status_code"] == 503
    assert ((unknown.attributes or {})["http.response.status_code"], unknown.status.is_ok) == (
        404,
        True,
    )


async def test_who_is_not_sampled_leaves_nothing(traced: Traced) -> None:
    headers = {"traceparent": PARENT[:-1] + "0"}
    answer = await traced.client.post(INFER, json=QUESTION, headers=headers)
    assert answer.headers["traceresponse"].endswith("-00")
    assert traced.spans() == []
    assert not traced.tracing._traced


async def test_only_inference_is_traced(traced: Traced) -> None:
    for path in ("/v2/health/ready", "/v2/models/sums", "/metrics", INFER):
        assert "traceresponse" not in (await traced.client.get(path)).headers
    assert traced.spans() == []


async def test_calls_over_grpc_are_spans_too(traced: Traced) -> None:
    residence = traced.server.inference.driver.residence
    api = RepositoryApi(residence.repository, residence.wishes, residence.allowances)
    front = await open_front(traced.server.inference, "127.0.0.1", 0, api, 64, traced.tracing)
    service = "/inference.GRPCInferenceService/"
    good = pb.ModelInferRequest(
        model_name="sums",
        inputs=[
            pb.ModelInferRequest.InferInputTensor(
                name="image",
                datatype="FP32",
                shape=[1, 2],
                contents=pb.InferTensorContents(fp32_contents=[1, 2]),
            )
        ],
    )
    async with grpc.aio.insecure_channel(f"127.0.0.1:{front.port}") as channel:
        unary = channel.unary_unary(
            service + "ModelInfer",
            pb.ModelInferRequest.SerializeToString,
            pb.ModelInferResponse.FromString,
        )
        call = unary(good, metadata=(("traceparent", PARENT),))
        await call
        said = dict(await call.initial_metadata())
        with pytest.raises(grpc.aio.AioRpcError):
            await unary(pb.ModelInferRequest(model_name="none"))
        stream = channel.stream_stream(
            service + "ModelStreamInfer",
            pb.ModelInferRequest.SerializeToString,
            pb.ModelStreamInferResponse.FromString,
        )
        answers = [answer async for answer in stream(iter([good, good]))]
    await front.stop(1)
    assert len(answers) == 2
    answered, unknown = traced.spans("inference.GRPCInferenceService/ModelInfer")
    assert said["traceresponse"] == f"00-{TRACE}-{identity(answered):016x}-01"
    assert f"{of(answered):016x}" == SPAN
    assert (answered.attributes or {})["rpc.grpc.status_code"] == 0
    assert (unknown.attributes or {})["rpc.grpc.status_code"] == 5
    whole = traced.one("inference.GRPCInferenceService/ModelStreamInfer")
    executions = [of(span) for span in traced.spans("execution")]
    assert executions == [identity(answered), identity(whole), identity(whole)]


# --- the headers ------------------------------------------------------------


@pytest.mark.parametrize(
    "headers",
    [
        [("traceparent", PARENT), ("traceparent", PARENT)],
        [("traceparent", PARENT + "0" * 200)],
        [("traceparent", "00-" + "0" * 32 + f"-{SPAN}-01")],
        [("traceparent", f"00-{TRACE}-" + "0" * 16 + "-01")],
        [("traceparent", "ff" + PARENT[2:])],
        [("traceparent", PARENT.upper())],
        [("traceparent", "")],
        [("tracestate", "a=1")],
    ],
)
def test_a_malformed_parent_is_none(headers: list[tuple[str, str]]) -> None:
    assert not get_current_span(parent_of(headers)).get_span_context().is_valid


@pytest.mark.parametrize("state", ["x" * 600, "a=" + "1" * 511, "=", ",,,", "a=1," * 40, "\xff=1"])
def test_a_malformed_or_endless_state_leaves_the_parent(state: str) -> None:
    span = get_current_span(parent_of([("traceparent", PARENT), ("tracestate", state)]))
    assert f"{span.get_span_context().trace_id:032x}" == TRACE
    assert len(span.get_span_context().trace_state.to_header()) <= 512


def is_named(parent: bytes, state: bytes) -> bool:
    """Whether there is a parent, which is then the one that the header names."""
    context = parent_of([(b"traceparent", parent), (b"tracestate", state)])
    span = get_current_span(context).get_span_context()
    named = f"{span.trace_id:032x}-{span.span_id:016x}"
    assert not span.is_valid or named in parent.decode("latin-1")
    return span.is_valid


@given(
    parent=st.binary(max_size=150)
    | st.from_regex(rb"[0-9a-f]{2}-[0-9a-f]{30,33}-[0-9a-f-]{16,20}"),
    state=st.binary(max_size=700) | st.from_regex(rb"([a-z]{1,3}=[ -~]{0,9},?){0,40}"),
)
@example(parent=PARENT.encode(), state=b"a=1,a=2")
def test_whatever_is_sent_is_a_parent_or_none(parent: bytes, state: bytes) -> None:
    is_named(parent, state)


def test_torn_parents_are_read_or_ignored() -> None:
    draw, read = random.Random(3), 0
    for _ in range(3000):
        torn = bytearray(PARENT.encode())
        for _ in range(draw.choice((1, 2))):
            at = draw.randrange(len(torn) + 1)
            torn[at : at + draw.choice((0, 1, 4))] = draw.randbytes(draw.choice((0, 1, 2)))
        read += is_named(bytes(torn), draw.randbytes(20))
    assert 0 < read < 3000


# --- the environment ------------------------------------------------------------


@pytest.mark.parametrize(
    ("environ", "names"),
    [
        ({}, ()),
        ({"OTEL_SERVICE_NAME": "x"}, ()),
        ({"OTEL_EXPORTER_OTLP_ENDPOINT": "http://c:4318"}, ("otlp",)),
        ({"OTEL_EXPORTER_OTLP_TRACES_ENDPOINT": "http://c:4318/v1/traces"}, ("otlp",)),
        ({"OTEL_TRACES_EXPORTER": "console, otlp"}, ("console", "otlp")),
        ({"OTEL_TRACES_EXPORTER": "none", "OTEL_EXPORTER_OTLP_ENDPOINT": "http://c"}, ()),
        ({"OTEL_TRACES_EXPORTER": "otlp", "OTEL_SDK_DISABLED": "TRUE"}, ()),
    ],
)
def test_the_environment_says_whether(environ: dict[str, str], names: tuple[str, ...]) -> None:
    assert exporters_wanted(environ) == names


@pytest.mark.parametrize(
    ("environ", "said"),
    [
        ({"OTEL_TRACES_EXPORTER": "zipkin"}, "'zipkin' must be otlp, console or none."),
        (
            {"OTEL_TRACES_EXPORTER": "otlp", "OTEL_EXPORTER_OTLP_PROTOCOL": "http/json"},
            "'http/json' must be http/protobuf or grpc.",
        ),
    ],
)
def test_what_is_not_known_is_a_warning_and_not_the_end(
    environ: dict[str, str], said: str, caplog: pytest.LogCaptureFixture
) -> None:
    assert open_tracing(environ) is None
    assert said in caplog.text


def test_without_the_library_the_extra_is_named(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.delitem(sys.modules, "infadapter_server.serving.tracing.exporters", raising=False)
    monkeypatch.setitem(sys.modules, "opentelemetry.sdk.trace", None)
    assert open_tracing({"OTEL_TRACES_EXPORTER": "console"}) is None
    assert "pip install 'infadapter[tracing]'" in caplog.text


# --- a process ------------------------------------------------------------


class Collector:
    """An OTLP endpoint over HTTP, on a thread of its own."""

    def __init__(self) -> None:
        self.spans: list[Any] = []
        self.resources: list[dict[str, str]] = []
        collector = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                content = self.rfile.read(int(self.headers["content-length"]))
                if self.headers.get("content-encoding") == "gzip":
                    import gzip

                    content = gzip.decompress(content)
                for part in ExportTraceServiceRequest.FromString(content).resource_spans:
                    about = {pair.key: pair.value.string_value for pair in part.resource.attributes}
                    collector.resources.append(about)
                    for scope in part.scope_spans:
                        collector.spans += scope.spans
                self.send_response(200)
                self.end_headers()

            def log_message(self, *_: object) -> None:
                pass

        self.server = HTTPServer(("127.0.0.1", 0), Handler)
        self.thread = threading.Thread(target=self.server.serve_forever)
        self.thread.start()

    def close(self) -> None:
        self.server.shutdown()
        self.server.server_close()
        self.thread.join()


@pytest.fixture
def collector() -> Iterator[Collector]:
    collector = Collector()
    yield collector
    collector.close()


def serve_once(environ: dict[str, str]) -> tuple[str, float]:
    """One request to a server of its own; what it wrote at last, and how long its end took."""
    arguments = ("--variant", "glyph-1", "--port", "0", "--host", "127.0.0.1")
    process = subprocess.Popen(
        [sys.executable, "-m", "infadapter_server", *arguments, "--drain-seconds", "0"],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env=os.environ | {"OMP_NUM_THREADS": "1"} | environ,
    )
    try:
        assert process.stdout is not None
        ask_once(process.stdout.readline().removeprefix("listening on ").strip())
        began_s = time.monotonic()
        process.send_signal(signal.SIGTERM)
        _, written = process.communicate(timeout=30)
    finally:
        process.kill()
        process.communicate()
    assert process.returncode == 0, written
    return written, time.monotonic() - began_s


def ask_once(url: str) -> None:
    values = {"shape": [1, 1, 32, 32], "datatype": "FP32", "data": [0] * 1024}
    content = json.dumps({"inputs": [{"name": "image", **values}]})
    with httpx.Client(base_url=url, timeout=20) as client:
        until_s = time.monotonic() + 60
        while client.get("/v2/health/ready").status_code != 200:
            assert time.monotonic() < until_s
            time.sleep(0.05)
        assert client.post("/v2/models/glyph-1/infer", content=content).status_code == 200


@pytest.mark.process
def test_a_server_sends_its_spans_to_the_collector_and_the_last_ones_when_it_ends(
    collector: Collector,
) -> None:
    port = collector.server.server_address[1]
    serve_once(
        {
            "OTEL_EXPORTER_OTLP_ENDPOINT": f"http://127.0.0.1:{port}",
            "OTEL_RESOURCE_ATTRIBUTES": "k8s.pod.name=a",
        }
    )
    names = {span.name for span in collector.spans}
    assert names == {REQUEST, "queue", "execution", "batch glyph-1"}
    (about,) = collector.resources
    assert (about["service.name"], about["k8s.pod.name"]) == ("infadapter-server", "a")


@pytest.mark.process
def test_a_collector_that_is_not_there_holds_nobody_up() -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        port = taken.getsockname()[1]
        _, took_s = serve_once({"OTEL_EXPORTER_OTLP_ENDPOINT": f"http://127.0.0.1:{port}"})
    assert took_s < 25  # and not for the minute in which the exporter tries again


def test_without_the_variables_nothing_of_it_is_imported() -> None:
    code = (
        "import sys\n"
        "from infadapter_server.serving import command\n"
        "from infadapter_server.serving.grpc import front\n"
        "from infadapter_server.serving.tracing.start import open_tracing\n"
        "assert open_tracing({}) is None\n"
        "print([name for name in sys.modules if 'opentelemetry' in name or 'tracing.' in name])\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "['infadapter_server.serving.tracing.start']"
