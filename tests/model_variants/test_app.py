"""The HTTP side in one process, around a network that takes as long as the test wants."""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import replace

import numpy as np
import pytest

from tests.model_variants.serving_world import (
    IDENTITY,
    INFER,
    QUESTION,
    Summing,
    running,
    until,
)
from tests.patience import PATIENCE_S

MODEL_PATHS = ("/v2/models/sums", "/v2/models/sums/versions/tiny")
ALL_PATHS = (
    *("/v2", "/v2/health/live", "/v2/health/ready", "/metrics"),
    *(path + ready for path in MODEL_PATHS for ready in ("", "/ready")),
)


async def test_an_answer_holds_the_networks_values() -> None:
    async with running() as server:
        for path in (INFER, "/v2/models/sums/versions/tiny/infer"):
            response = await server.client.post(path, json=QUESTION)
            assert response.status_code == 200
            assert response.headers["content-type"] == "application/json"
            assert response.json()["outputs"][0]["data"] == [3.0]


async def test_a_question_in_binary_gets_its_answer_in_binary() -> None:
    head = (
        b'{"inputs": [{"name": "image", "shape": [1, 2], "datatype": "FP32",'
        b' "parameters": {"binary_data_size": 8}}], "parameters": {"binary_data_output": true}}'
    )
    values = np.asarray([0.5, 2], "<f4").tobytes()
    async with running() as server:
        response = await server.client.post(
            INFER,
            content=head + values,
            headers={"Inference-Header-Content-Length": str(len(head))},
        )
    json_bytes = int(response.headers["inference-header-content-length"])
    assert response.headers["content-type"] == "application/octet-stream"
    assert np.frombuffer(response.content[json_bytes:], "<f4").tolist() == [2.5]


async def test_every_answer_names_the_variant() -> None:
    async with running() as server:
        good = [await server.client.get(path) for path in ALL_PATHS]
        good += [await server.client.post(INFER, json=QUESTION)]
        bad = [await server.client.get(path) for path in ("/nothing", INFER, "/v2/models/other")]
        bad += [await server.client.post(INFER, content=b"{")]
    assert {response.status_code for response in good} == {200}
    assert [response.status_code for response in bad] == [404, 405, 404, 400]
    assert {response.headers["infadapter-variant"] for response in good + bad} == {"tiny"}


async def test_what_went_wrong_is_a_sentence_in_the_field_error() -> None:
    async with running() as server:
        for method, path, says in (
            ("POST", INFER, "not JSON"),
            ("GET", "/nothing", "Not Found: GET /nothing"),
            ("GET", INFER, "Method Not Allowed"),
            ("GET", "/v2/models/other", "no model 'other' here; there is sums"),
            ("GET", "/v2/models/sums/versions/7", "no version '7' here; there is tiny"),
            ("POST", "/v2/models/other/infer", "no model 'other'"),
            ("GET", "/v2/models/other/ready", "no model 'other'"),
        ):
            response = await server.client.request(method, path)
            assert list(response.json()) == ["error"]
            assert says in response.json()["error"]


async def test_the_description_says_what_to_send_and_what_comes_back() -> None:
    async with running() as server:
        about = (await server.client.get("/v2")).json()
        assert about["name"] == "infadapter-server"
        assert {"binary_tensor_data", "classification", "model_repository"} <= set(
            about["extensions"]
        )
        assert (await server.client.get("/v2/models/sums")).json() == {
            "name": "sums",
            "versions": ["tiny"],
            "platform": "pytorch",
            "inputs": [{"name": "image", "datatype": "FP32", "shape": [-1, 2]}],
            "outputs": [{"name": "logits", "datatype": "FP32", "shape": [-1, 1]}],
            "parameters": {"max_batch_size": 8},
        }


async def test_the_description_says_the_accuracy_that_was_measured_if_one_was() -> None:
    async with running(identity=replace(IDENTITY, accuracy=0.9)) as server:
        about = (await server.client.get("/v2/models/sums")).json()
    assert about["parameters"]["accuracy"] == 0.9


async def test_while_it_loads_it_lives_but_is_not_ready() -> None:
    model = Summing()
    model.hold()
    async with running(model) as server:
        assert (await server.client.get("/v2/health/live")).status_code == 200
        assert (await server.client.get("/v2/models/sums/ready")).status_code == 503
        refused = await server.client.post(INFER, json=QUESTION)
        assert (refused.status_code, refused.headers["retry-after"]) == (503, "1")
        assert "loading" in refused.json()["error"]
        assert await server.metric("infadapter_server_load_seconds") == 0
        model.may_compute.set()
        await until(lambda: server.driver.ready)
        assert (await server.client.get("/v2/health/ready")).status_code == 200
        assert await server.metric("infadapter_server_load_seconds") > 0


async def test_everything_but_inference_is_answered_while_the_network_computes() -> None:
    async with running() as server:
        server.model.hold()
        question = asyncio.create_task(server.client.post(INFER, json=QUESTION))
        await server.model.holds()
        async with asyncio.timeout(PATIENCE_S):
            for path in ALL_PATHS:
                assert (await server.client.get(path)).status_code == 200
            assert (await server.client.post(INFER, content=b"{")).status_code == 400
        assert await server.metric("infadapter_server_in_flight") == 1
        assert not question.done()
        server.model.may_compute.set()
        assert (await question).status_code == 200
        assert await server.metric("infadapter_server_in_flight") == 0


async def test_while_it_drains_it_answers_but_sends_connections_away() -> None:
    async with running() as server:
        server.inference.draining = True
        assert (await server.client.get("/v2/health/ready")).status_code == 503
        assert (await server.client.get("/v2/health/live")).status_code == 200
        answered = await server.client.post(INFER, json=QUESTION)
        assert (answered.status_code, answered.headers["connection"]) == (200, "close")
        server.inference.closed = True
        refused = await server.client.post(INFER, json=QUESTION)
        assert (refused.status_code, refused.headers["retry-after"]) == (503, "1")


async def test_a_body_that_is_too_long_is_refused_by_its_announcement_and_by_its_bytes() -> None:
    async def endless() -> AsyncIterator[bytes]:
        while True:
            yield b" " * 65_536

    async with running(batch=1) as server:
        for content in (b" " * 100_000, endless()):
            response = await server.client.post(INFER, content=content)
            assert response.status_code == 413
            assert "longer than 65600 bytes" in response.json()["error"]
        assert await server.metric("infadapter_server_requests_total", code="413") == 2


async def test_a_body_that_does_not_arrive_is_not_waited_for() -> None:
    async def stuck() -> AsyncIterator[bytes]:
        yield b"{"
        await asyncio.Event().wait()

    async with running(body_s=0.01) as server:
        response = await server.client.post(INFER, content=stuck())
        assert response.status_code == 408
        assert await server.metric("infadapter_server_in_flight") == 0


async def test_a_batch_that_cannot_be_computed_is_a_500_that_tells_no_secrets() -> None:
    broken = {"inputs": [QUESTION["inputs"][0] | {"data": [-1, 2]}]}
    async with running() as server:
        response = await server.client.post(INFER, json=broken)
        assert response.status_code == 500
        assert "secret" not in response.text
        assert (await server.client.post(INFER, json=QUESTION)).status_code == 200


async def test_a_mistake_of_ours_is_a_500_with_a_sentence(monkeypatch: pytest.MonkeyPatch) -> None:
    async with running() as server:
        monkeypatch.setattr(server.inference.metrics, "exposition", lambda: 1 / 0)
        response = await server.client.get("/metrics")
    assert response.status_code == 500
    assert response.headers["infadapter-variant"] == "tiny"
    assert list(response.json()) == ["error"]


async def test_a_request_is_counted_as_it_arrives_and_not_when_it_is_answered() -> None:
    async with running() as server:
        server.model.hold()
        waiting = asyncio.create_task(server.client.post(INFER, json=QUESTION))
        await server.model.holds()
        assert await server.metric("infadapter_server_arrivals_total") == 1
        assert await server.metric("infadapter_server_requests_total", code="200") == 0
        server.model.may_compute.set()
        await waiting
        assert await server.metric("infadapter_server_arrivals_total") == 1
        assert await server.metric("infadapter_server_requests_total", code="200") == 1


async def test_every_series_is_there_before_the_first_request() -> None:
    async with running() as server:
        for code in ("200", "400", "404", "408", "413", "500", "503"):
            assert await server.metric("infadapter_server_requests_total", code=code) == 0
        counts = ("latency_seconds_count", "inference_seconds_count")
        for name in ("arrivals_total", "in_flight", *counts):
            assert await server.metric(f"infadapter_server_{name}") == 0
        assert await server.metric("infadapter_server_threads") == 1
        assert await server.metric("infadapter_server_ready") == 1


async def test_requests_are_counted_by_their_answer_and_only_good_ones_have_a_latency() -> None:
    async with running() as server:
        for content in (b"{", b"[]"):
            await server.client.post(INFER, content=content)
        await server.client.post(INFER, json=QUESTION)
        await server.client.post("/v2/models/other/infer", json=QUESTION)
        counted = {
            code: await server.metric("infadapter_server_requests_total", code=code)
            for code in ("200", "400", "404")
        }
        assert counted == {"200": 1, "400": 2, "404": 1}
        assert await server.metric("infadapter_server_latency_seconds_count") == 1
        assert await server.metric("infadapter_server_inference_seconds_count") == 1
