"""gRPC tests with NVIDIA's own client, tritonclient.grpc; run by test_triton_grpc.py.

Its generated modules and ours define the same protobuf messages, which a process can load only
once. So these tests run in a process of their own, or where our packages are not installed:

    pytest tests/conformance/triton_grpc_cases.py --oip-url http://HOST:PORT --oip-grpc HOST:PORT
"""

from collections.abc import Iterator
from queue import SimpleQueue
from typing import Any

import numpy as np
import pytest

from tests.conformance.target import Target

grpc = pytest.importorskip("tritonclient.grpc", reason="tritonclient[grpc] is not installed")


@pytest.fixture
def triton(target: Target) -> Iterator[Any]:
    if target.grpc is None:
        pytest.skip("no gRPC server is named")
    client = grpc.InferenceServerClient(target.grpc)
    yield client
    # Otherwise this waits for a stream that is never answered.
    client.stop_stream(cancel_requests=True)
    client.close()


def tensor(target: Target, batch: int = 1) -> Any:
    given = grpc.InferInput(target.input["name"], target.shape(batch), "FP32")
    given.set_data_from_numpy(np.zeros(target.shape(batch), np.float32))
    return given


def test_health_and_metadata(triton: Any, target: Target) -> None:
    assert triton.is_server_live()
    assert triton.is_server_ready()
    assert triton.is_model_ready(target.model)
    assert triton.get_server_metadata().name
    said = triton.get_model_metadata(target.model)
    assert said.name == target.model
    assert list(said.inputs[0].shape) == target.input["shape"]


def test_the_configuration(triton: Any, target: Target) -> None:
    target.needs("model_configuration")
    assert triton.get_model_config(target.model).config.max_batch_size >= 1


def test_the_index(triton: Any, target: Target) -> None:
    assert target.model in {model.name for model in triton.get_model_repository_index().models}


@pytest.mark.parametrize("batch", [1, 2])
def test_inference(triton: Any, target: Target, batch: int) -> None:
    answer = triton.infer(target.model, [tensor(target, batch)], request_id="7")
    assert answer.get_response().id == "7"
    assert answer.as_numpy(target.output_name).shape[0] == batch


def test_an_output_by_name(triton: Any, target: Target) -> None:
    asked = [grpc.InferRequestedOutput(target.output_name)]
    answer = triton.infer(target.model, [tensor(target)], outputs=asked, timeout=5_000_000)
    assert answer.as_numpy(target.output_name).shape[0] == 1


def test_the_best_classes(triton: Any, target: Target) -> None:
    target.needs("classification")
    asked = [grpc.InferRequestedOutput(target.output_name, class_count=2)]
    answer = triton.infer(target.model, [tensor(target)], outputs=asked)
    _, index = answer.as_numpy(target.output_name)[0, 0].decode().split(":")
    assert int(index) >= 0


def test_a_packed_call(triton: Any, target: Target) -> None:
    answer = triton.infer(target.model, [tensor(target)], compression_algorithm="gzip")
    assert answer.as_numpy(target.output_name).shape[0] == 1


def test_a_stream(triton: Any, target: Target) -> None:
    answers: SimpleQueue[tuple[Any, Any]] = SimpleQueue()
    triton.start_stream(callback=lambda result, error: answers.put((result, error)))
    for number in ("1", "2"):
        triton.async_stream_infer(target.model, [tensor(target)], request_id=number)
    for number in ("1", "2"):
        result, error = answers.get(timeout=60)
        assert error is None
        assert result.get_response().id == number
    triton.stop_stream()


@pytest.mark.parametrize(
    ("fault", "status"),
    [("model", "StatusCode.NOT_FOUND"), ("input", "StatusCode.INVALID_ARGUMENT")],
)
def test_faults_are_its_exceptions(triton: Any, target: Target, fault: str, status: str) -> None:
    from tritonclient.utils import InferenceServerException

    given = tensor(target)
    if fault == "input":
        given = grpc.InferInput("no-such-input", [1], "FP32")
        given.set_data_from_numpy(np.zeros(1, np.float32))
    with pytest.raises(InferenceServerException) as ended:
        triton.infer("no-such-model" if fault == "model" else target.model, [given])
    assert ended.value.status() == status
    assert ended.value.message()


def test_a_message_of_100_megabytes_is_refused(triton: Any, target: Target) -> None:
    from tritonclient.utils import InferenceServerException

    shape = [25_000, *target.shape()[1:]]
    given = grpc.InferInput(target.input["name"], shape, "FP32")
    given.set_data_from_numpy(np.zeros(shape, np.float32))
    with pytest.raises(InferenceServerException):
        triton.infer(target.model, [given])
    assert triton.is_server_ready()
