"""REST: inference, with tensors in JSON (inference_rest.md)."""

from math import prod
from typing import Any

import httpx
import pytest

from tests.conformance.target import Target


def infer(client: httpx.Client, target: Target, **fields: Any) -> dict[str, Any]:
    response = client.post(f"{target.path}/infer", json=target.question(**fields))
    assert response.status_code == 200, response.text
    answer: dict[str, Any] = response.json()
    return answer


def test_an_answer_describes_every_output(client: httpx.Client, target: Target) -> None:
    answer = infer(client, target)
    assert answer["model_name"] == target.model
    described = {tensor["name"]: tensor for tensor in target.metadata["outputs"]}
    assert {output["name"] for output in answer["outputs"]} == set(described)
    for output in answer["outputs"]:
        assert output["datatype"] == described[output["name"]]["datatype"]
        assert len(output["data"]) in (prod(output["shape"]), output["shape"][0])
        for size, promised in zip(output["shape"], described[output["name"]]["shape"], strict=True):
            assert promised in (-1, size)


def test_the_version_is_one_that_the_metadata_lists(client: httpx.Client, target: Target) -> None:
    answer = infer(client, target)
    versions = target.metadata.get("versions") or []
    assert "model_version" not in answer or not versions or answer["model_version"] in versions


@pytest.mark.parametrize("number", ["42", "a-b_c", "é€", "x" * 100])
def test_the_id_comes_back(client: httpx.Client, target: Target, number: str) -> None:
    assert infer(client, target, id=number)["id"] == number


def test_data_may_be_nested_like_the_shape(client: httpx.Client, target: Target) -> None:
    nested: Any = 0
    for size in reversed(target.shape()):
        nested = [nested] * size
    question = {"inputs": [target.tensor(data=nested)]}
    response = client.post(f"{target.path}/infer", json=question)
    assert response.status_code == 200
    assert response.json()["outputs"] == infer(client, target)["outputs"]


def test_a_batch_is_answered_row_by_row(client: httpx.Client, target: Target) -> None:
    one = infer(client, target)["outputs"][0]
    two = infer(client, target, batch=2)["outputs"][0]
    assert two["shape"] == [2, *one["shape"][1:]]
    assert two["data"] == pytest.approx(one["data"] * 2, rel=1e-4, abs=1e-4)


def test_a_batch_within_the_limit_that_is_told_is_answered(
    client: httpx.Client, target: Target
) -> None:
    largest = (target.metadata.get("parameters") or {}).get("max_batch_size")
    if largest is None:
        pytest.skip("the server does not say its largest batch")
    assert infer(client, target, batch=largest)["outputs"][0]["shape"][0] == largest
    beyond = client.post(f"{target.path}/infer", json=target.question(batch=largest + 1))
    assert beyond.status_code == 400


def test_an_output_may_be_asked_for_by_name(client: httpx.Client, target: Target) -> None:
    asked = infer(client, target, outputs=[{"name": target.output_name}])
    assert [output["name"] for output in asked["outputs"]] == [target.output_name]


def test_optional_fields_may_be_empty_and_parameters_unknown(
    client: httpx.Client, target: Target
) -> None:
    question = target.question(parameters={"x-unknown": 7})
    question["inputs"][0]["parameters"] = {"x-unknown": "a"}
    question["outputs"] = [{"name": target.output_name, "parameters": {"x-unknown": True}}]
    assert client.post(f"{target.path}/infer", json=question).status_code == 200


def test_the_best_classes_are_texts(client: httpx.Client, target: Target) -> None:
    target.needs("classification")
    plain = infer(client, target)["outputs"][0]["data"]
    asked = [{"name": target.output_name, "parameters": {"classification": 3}}]
    (output,) = infer(client, target, outputs=asked)["outputs"]
    assert (output["datatype"], output["shape"]) == ("BYTES", [1, 3])
    best = [text.split(":")[:2] for text in output["data"]]
    assert float(best[0][0]) == pytest.approx(max(plain), rel=1e-5)
    assert int(best[0][1]) == plain.index(max(plain))
    assert float(best[0][0]) >= float(best[1][0]) >= float(best[2][0])
