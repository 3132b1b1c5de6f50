"""REST: health and metadata (inference_rest.md)."""

import httpx
import pytest

from tests.conformance.target import NUMBERS, Target


@pytest.mark.parametrize("path", ["/v2/health/live", "/v2/health/ready"])
def test_a_server_that_is_up_answers_200(client: httpx.Client, path: str) -> None:
    assert client.get(path).status_code == 200


@pytest.mark.parametrize("path", ["/v2/health/live", "/v2/health/ready"])
def test_head_is_get_without_a_body(client: httpx.Client, path: str) -> None:
    response = client.head(path)
    assert (response.status_code, response.content) == (200, b"")


def test_a_model_that_is_loaded_is_ready(client: httpx.Client, target: Target) -> None:
    assert client.get(f"{target.path}/ready").status_code == 200


def test_the_server_says_what_it_is(client: httpx.Client) -> None:
    said = client.get("/v2").json()
    assert isinstance(said["name"], str)
    assert isinstance(said["version"], str)
    assert all(isinstance(extension, str) for extension in said["extensions"])


def test_the_model_says_what_it_takes_and_gives(client: httpx.Client, target: Target) -> None:
    said = client.get(target.path).json()
    assert said["name"] == target.model
    assert isinstance(said["platform"], str)
    assert said["inputs"]
    assert said["outputs"]
    for tensor in said["inputs"] + said["outputs"]:
        assert isinstance(tensor["name"], str)
        assert tensor["datatype"] in NUMBERS | {"BYTES"}
        assert all(type(size) is int and size >= -1 for size in tensor["shape"])


def test_each_version_that_is_listed_answers(client: httpx.Client, target: Target) -> None:
    for version in target.metadata.get("versions") or []:
        path = f"{target.path}/versions/{version}"
        assert client.get(path).json()["name"] == target.model
        assert client.get(f"{path}/ready").status_code == 200
        assert client.post(f"{path}/infer", json=target.question()).status_code == 200


@pytest.mark.parametrize("rest", ["", "/ready", "/versions/9999", "/versions/9999/ready"])
def test_what_is_not_there_is_said_in_the_field_error(
    client: httpx.Client, target: Target, rest: str
) -> None:
    path = target.path if "versions" in rest else "/v2/models/no-such-model"
    response = client.get(path + rest)
    assert 400 <= response.status_code < 500
    assert isinstance(response.json()["error"], str)


def test_the_configuration_says_the_largest_batch(client: httpx.Client, target: Target) -> None:
    target.needs("model_configuration")
    said = client.get(f"{target.path}/config").json()
    assert said["name"] == target.model
    assert type(said["max_batch_size"]) is int
    assert [tensor["name"] for tensor in said["input"]] == [target.input["name"]]
    assert said["input"][0]["data_type"] == f"TYPE_{target.input['datatype']}"
