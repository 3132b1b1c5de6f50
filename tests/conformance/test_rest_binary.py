"""REST: the binary tensor data extension, as Triton documents it."""

import json
import struct
from math import prod
from typing import Any

import httpx
import pytest

from tests.conformance.target import Target

LENGTH = "inference-header-content-length"


@pytest.fixture(autouse=True)
def _has_the_extension(target: Target) -> None:
    target.needs("binary_tensor_data")


def packed(target: Target, **fields: Any) -> tuple[bytes, dict[str, str]]:
    """A request with its tensor as zeros in bytes."""
    raw = bytes(4 * prod(target.shape()))
    tensor = target.tensor(data=None, datatype="FP32", parameters={"binary_data_size": len(raw)})
    head = json.dumps({"inputs": [tensor], **fields}).encode()
    return head + raw, {LENGTH: str(len(head)), "content-type": "application/octet-stream"}


def unpacked(response: httpx.Response) -> tuple[dict[str, Any], bytes]:
    length = int(response.headers[LENGTH])
    (output,) = json.loads(response.content[:length])["outputs"]
    return output, response.content[length:]


def test_binary_in_and_json_out(client: httpx.Client, target: Target) -> None:
    content, headers = packed(target)
    response = client.post(f"{target.path}/infer", content=content, headers=headers)
    listed = client.post(f"{target.path}/infer", json=target.question())
    assert response.json()["outputs"] == listed.json()["outputs"]


@pytest.mark.parametrize("where", ["request", "output"])
def test_json_in_and_binary_out(client: httpx.Client, target: Target, where: str) -> None:
    listed = client.post(f"{target.path}/infer", json=target.question()).json()["outputs"][0]
    question = target.question()
    if where == "request":
        question["parameters"] = {"binary_data_output": True}
    else:
        question["outputs"] = [{"name": target.output_name, "parameters": {"binary_data": True}}]
    output, raw = unpacked(client.post(f"{target.path}/infer", json=question))
    assert output["parameters"]["binary_data_size"] == len(raw) == 4 * prod(output["shape"])
    assert "data" not in output
    values = struct.unpack(f"<{len(raw) // 4}f", raw)
    assert values == pytest.approx(listed["data"], rel=1e-6)


def test_an_output_overrides_the_request(client: httpx.Client, target: Target) -> None:
    question = target.question(parameters={"binary_data_output": True})
    question["outputs"] = [{"name": target.output_name, "parameters": {"binary_data": False}}]
    response = client.post(f"{target.path}/infer", json=question)
    assert LENGTH not in response.headers
    assert response.json()["outputs"][0]["data"]


@pytest.mark.parametrize("change", ["cut", "longer", "header", "header-text", "size"])
def test_bytes_that_do_not_fit_are_the_clients_fault(
    client: httpx.Client, target: Target, change: str
) -> None:
    content, headers = packed(target)
    if change == "cut":
        content = content[:-4]
    elif change == "longer":
        content += b"\0\0\0\0"
    elif change == "header":
        headers[LENGTH] = str(len(content) + 1)
    elif change == "header-text":
        headers[LENGTH] = "many"
    else:
        content = content.replace(b'"binary_data_size": ', b'"binary_data_size": 1')
        headers[LENGTH] = str(int(headers[LENGTH]) + 1)
    response = client.post(f"{target.path}/infer", content=content, headers=headers)
    assert 400 <= response.status_code < 500
    assert isinstance(response.json()["error"], str)
