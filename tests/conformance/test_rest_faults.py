"""REST: what is wrong with a request is the client's fault and said; the server goes on."""

from typing import Any

import httpx
import pytest

from tests.conformance.target import Target


def check(response: httpx.Response, client: httpx.Client) -> None:
    assert 400 <= response.status_code < 500, response.text
    assert isinstance(response.json()["error"], str)
    assert client.get("/v2/health/ready").status_code == 200


@pytest.mark.parametrize(
    "content",
    [b"", b"{", b"[]", b"7", b"null", b"{}", b"\xff\xfe\0", b"[" * 5000, b'{"inputs": 7}'],
)
def test_a_body_that_is_no_request(client: httpx.Client, target: Target, content: bytes) -> None:
    headers = {"content-type": "application/json"}
    check(client.post(f"{target.path}/infer", content=content, headers=headers), client)


@pytest.mark.parametrize(
    "changes",
    [
        {"name": None},
        {"name": "no-such-input"},
        {"shape": None},
        {"shape": [7]},
        {"shape": "text"},
        {"shape": [-1, -1]},
        {"datatype": None},
        {"datatype": "FLOAT"},
        {"datatype": "BYTES"},
        {"data": None},
        {"data": []},
        {"data": [0]},
        {"data": "text"},
        {"data": ["text"]},
        {"data": [[0], [0, 0]]},
        {"data": {"a": 1}},
    ],
    ids=str,
)
def test_a_tensor_that_is_none(
    client: httpx.Client, target: Target, changes: dict[str, Any]
) -> None:
    question = {"inputs": [target.tensor(**changes)]}
    check(client.post(f"{target.path}/infer", json=question), client)


@pytest.mark.parametrize("value", ["NaN", "Infinity", "1e999", "-1e39"])
def test_a_value_that_is_no_finite_number(client: httpx.Client, target: Target, value: str) -> None:
    good = client.build_request("POST", "/", json=target.question()).read().decode()
    content = good.replace("[0,0", f"[{value},0").replace("[0, 0", f"[{value}, 0")
    assert value in content
    response = client.post(
        f"{target.path}/infer", content=content, headers={"content-type": "application/json"}
    )
    check(response, client)


@pytest.mark.parametrize("inputs", [0, 2])
def test_another_number_of_inputs_than_the_models(
    client: httpx.Client, target: Target, inputs: int
) -> None:
    question = {"inputs": [target.tensor()] * inputs}
    check(client.post(f"{target.path}/infer", json=question), client)


def test_an_output_that_the_model_does_not_have(client: httpx.Client, target: Target) -> None:
    question = target.question(outputs=[{"name": "no-such-output"}])
    check(client.post(f"{target.path}/infer", json=question), client)


@pytest.mark.parametrize("path", ["no-such-model", "no-such-model/versions/1"])
def test_a_model_that_is_not_there(client: httpx.Client, target: Target, path: str) -> None:
    check(client.post(f"/v2/models/{path}/infer", json=target.question()), client)


def test_an_id_that_is_no_text(client: httpx.Client, target: Target) -> None:
    check(client.post(f"{target.path}/infer", json=target.question(id=[1])), client)


def test_an_answer_that_json_cannot_carry_is_no_success(
    client: httpx.Client, target: Target
) -> None:
    question = target.question()
    question["inputs"][0]["data"] = [
        3e38 * (-1) ** n for n, _ in enumerate(question["inputs"][0]["data"])
    ]
    response = client.post(f"{target.path}/infer", json=question)
    if response.status_code == 200:
        values = response.json()["outputs"][0]["data"]
        assert all(isinstance(value, int | float) and abs(value) < 1e39 for value in values)
    else:
        assert isinstance(response.json()["error"], str)


def test_a_get_of_the_route_for_posts(client: httpx.Client, target: Target) -> None:
    assert client.get(f"{target.path}/infer").status_code in (404, 405)
