"""REST as NVIDIA's own client speaks it: tritonclient.http."""

from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest

from tests.conformance.target import Target

http = pytest.importorskip("tritonclient.http", reason="tritonclient[http] is not installed")


@pytest.fixture
def triton(target: Target) -> Iterator[Any]:
    client = http.InferenceServerClient(target.url.removeprefix("http://"))
    yield client
    client.close()


def tensor(target: Target, *, binary: bool | None = None) -> Any:
    """In binary where the server understands it, if nothing else is said."""
    given = http.InferInput(target.input["name"], target.shape(), "FP32")
    understood = "binary_tensor_data" in target.extensions
    given.set_data_from_numpy(
        np.zeros(target.shape(), np.float32),
        binary_data=understood if binary is None else binary,
    )
    return given


def test_health_and_metadata(triton: Any, target: Target) -> None:
    assert triton.is_server_live()
    assert triton.is_server_ready()
    assert triton.is_model_ready(target.model)
    assert triton.get_server_metadata()["name"]
    assert triton.get_model_metadata(target.model)["name"] == target.model


def test_the_configuration(triton: Any, target: Target) -> None:
    target.needs("model_configuration")
    assert triton.get_model_config(target.model)["max_batch_size"] >= 1


@pytest.mark.parametrize("binary_in", [True, False])
@pytest.mark.parametrize("binary_out", [True, False])
def test_inference(triton: Any, target: Target, binary_in: bool, binary_out: bool) -> None:
    if binary_in or binary_out:
        target.needs("binary_tensor_data")
    asked = [http.InferRequestedOutput(target.output_name, binary_data=binary_out)]
    inputs = [tensor(target, binary=binary_in)]
    answer = triton.infer(target.model, inputs, outputs=asked, request_id="7")
    assert answer.get_response()["id"] == "7"
    assert answer.as_numpy(target.output_name).shape[0] == 1


@pytest.mark.parametrize("algorithm", ["gzip", "deflate"])
def test_packed_requests(triton: Any, target: Target, algorithm: str) -> None:
    target.needs("binary_tensor_data")
    answer = triton.infer(target.model, [tensor(target)], request_compression_algorithm=algorithm)
    assert answer.as_numpy(target.output_name).shape[0] == 1


def test_packed_answers(triton: Any, target: Target) -> None:
    answer = triton.infer(
        target.model, [tensor(target, binary=False)], response_compression_algorithm="gzip"
    )
    assert answer.as_numpy(target.output_name).shape[0] == 1


def test_the_best_classes(triton: Any, target: Target) -> None:
    target.needs("classification")
    asked = [http.InferRequestedOutput(target.output_name, class_count=2)]
    answer = triton.infer(target.model, [tensor(target)], outputs=asked)
    value, index = answer.as_numpy(target.output_name)[0, 0].decode().split(":")
    assert float(value) >= 0 or float(value) < 0
    assert int(index) >= 0


def test_a_timeout_that_is_long_enough(triton: Any, target: Target) -> None:
    answer = triton.infer(target.model, [tensor(target)], timeout=5_000_000)
    assert answer.as_numpy(target.output_name).shape[0] == 1


def test_async_inference(triton: Any, target: Target) -> None:
    asked = triton.async_infer(target.model, [tensor(target)])
    assert asked.get_result().as_numpy(target.output_name).shape[0] == 1


def test_faults_are_its_exceptions(triton: Any, target: Target) -> None:
    from tritonclient.utils import InferenceServerException

    with pytest.raises(InferenceServerException, match="no-such-model"):
        triton.infer("no-such-model", [tensor(target)])
    wrong = http.InferInput("no-such-input", [1], "FP32")
    wrong.set_data_from_numpy(np.zeros(1, np.float32))
    with pytest.raises(InferenceServerException):
        triton.infer(target.model, [wrong])
