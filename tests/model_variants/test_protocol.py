"""Request bodies to batches and answers to bodies, without a server."""

import json
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from infadapter_server.networks.signatures import Signature
from infadapter_server.serving.protocol import BadTensor, Question, encode, parse
from tests.deep import drawn

SIGNATURE = Signature(input_shape=(1, 2, 2), output_shape=(3,))
MAX_BATCH = 4
finite = st.floats(width=32, allow_nan=False, allow_infinity=False)


def tensor(**changes: Any) -> dict[str, Any]:
    """A good input; a change to None takes a field away."""
    good = {"name": "image", "shape": [1, 1, 2, 2], "datatype": "FP32", "data": [1, 2, 3, 4]}
    return {key: value for key, value in (good | changes).items() if value is not None}


def body(*inputs: Any, **fields: Any) -> bytes:
    return json.dumps({"inputs": list(inputs) or [tensor()], **fields}).encode()


def asked(**parameters: Any) -> dict[str, Any]:
    return {"name": "logits", "parameters": parameters}


def read(content: bytes, json_bytes: str | None = None) -> Question:
    return parse(content, json_bytes, SIGNATURE, MAX_BATCH)


def packed(values: bytes, *, size: int | None = None, **changes: Any) -> tuple[bytes, str]:
    parameters = {"binary_data_size": len(values) if size is None else size}
    head = body(tensor(data=None, parameters=parameters, **changes))
    return head + values, str(len(head))


def test_flat_data_fills_the_shape_row_by_row() -> None:
    question = read(body())
    assert question.batch.dtype == np.float32
    assert question.batch.tolist() == [[[[1, 2], [3, 4]]]]
    assert (question.id, question.binary) == (None, False)


def test_nested_data_is_the_same_tensor() -> None:
    nested = read(body(tensor(data=[[[[1, 2], [3, 4]]]])))
    assert np.array_equal(nested.batch, read(body()).batch)


def test_a_batch_may_hold_as_many_images_as_the_limit() -> None:
    assert read(body(tensor(shape=[4, 1, 2, 2], data=[0] * 16))).batch.shape == (4, 1, 2, 2)


@given(st.lists(finite, min_size=4, max_size=4))
@settings(max_examples=50)
def test_binary_values_arrive_bit_by_bit(values: list[float]) -> None:
    content, json_bytes = packed(np.asarray(values, "<f4").tobytes())
    batch = read(content, json_bytes).batch
    assert batch.ravel().tolist() == values
    assert batch.flags.writeable  # torch refuses, or warns of, what it may not write to


@pytest.mark.parametrize(
    ("content", "says"),
    [
        (b"", "not JSON"),
        (b"{", "not JSON"),
        (b"\xff\xfe", "not JSON"),
        (b"[" * 5000 + b"]" * 5000, "not JSON"),
        (b"[1]", "JSON object"),
        (b"{}", "list of one tensor"),
        (b'{"inputs": {}}', "list of one tensor"),
        (b'{"inputs": []}', "list of one tensor"),
        (b'{"inputs": [7]}', "list of one tensor"),
        (body(tensor(), tensor()), "list of one tensor"),
        (body(tensor(name="pixels")), "'pixels'; it must be image"),
        (body(tensor(name=None)), "missing; it must be image"),
        (body(tensor(name="x" * 10_000)), "must be image"),
        (body(tensor(datatype="BYTES")), "'BYTES'; it must be FP32"),
        (body(tensor(datatype=["FP32"])), "it must be FP32"),
        (body(tensor(datatype=None)), "missing; it must be FP32"),
        (body(tensor(shape=None)), r"missing; it must be \[n, 1, 2, 2\] with n from 1 to 4"),
        (body(tensor(shape=[1, 2, 2])), r"\[1, 2, 2\]; it must be"),
        (body(tensor(shape=[1, 1, 2, 3])), r"\[1, 1, 2, 3\]; it must be"),
        (body(tensor(shape=[0, 1, 2, 2], data=[])), "n from 1 to 4"),
        (body(tensor(shape=[5, 1, 2, 2], data=[0] * 20)), "n from 1 to 4"),
        (body(tensor(shape=[-1, 1, 2, 2])), "n from 1 to 4"),
        (body(tensor(shape=[True, 1, 2, 2])), "n from 1 to 4"),
        (body(tensor(shape=[1.0, 1, 2, 2])), "n from 1 to 4"),
        (body(tensor(shape="1122")), "n from 1 to 4"),
        (body(tensor(data=None)), "list in the field data"),
        (body(tensor(data="1234")), "list in the field data"),
        (body(tensor(data={"0": 1})), "list in the field data"),
        (body(tensor(data=[1, 2, 3])), "4 values; it holds 3"),
        (body(tensor(data=[])), "4 values; it holds 0"),
        (body(tensor(data=[1, 2, 3, 4, 5])), "4 values; it holds 5"),
        (body(tensor(data=[[1, 2], [3, 4]])), "it holds 2 × 2"),
        (body(tensor(data=[[[[1, 2], [3]]]])), "differ in length or depth"),
        (body(tensor(data=[])).replace(b"[]", b"[" * 900 + b"]" * 900), "nested more than 32 deep"),
        (body(tensor(data=[1, [2], 3, 4])), "numbers and nothing else"),
        (body(tensor(data=[[1], 2, 3, 4])), "numbers and nothing else"),
        (body(tensor(data=["1", "2", "3", "4"])), "numbers and nothing else"),
        (body(tensor(data=[["1"], ["2"], ["3"], ["4"]])), "numbers and nothing else"),
        (body(tensor(data=[1, 2, 3, None])), "numbers and nothing else"),
        (body(tensor(data=[{}, {}, {}, {}])), "numbers and nothing else"),
        (body(tensor(data=[1, 2, 3, 1e39])), "finite"),
        (body(tensor(data=[[[[1, 2], [3, -1e39]]]])), "finite"),
        (body(tensor(data=[1, 2, 3, float("nan")])), "not JSON"),
        (body(tensor(parameters=[])), "parameters of the input"),
        (body(tensor(parameters={"binary_data_size": "16"})), "number of bytes"),
        (body(tensor(parameters={"binary_data_size": -1})), "number of bytes"),
        (body(tensor(parameters={"binary_data_size": 16})), "send one of them"),
        (body(tensor(data=None, parameters={"binary_data_size": 16})), "0 bytes follow"),
        (body(id=7), "field id"),
        (body(id="x" * 257), "field id"),
        (body(outputs="logits"), "outputs must be a list"),
        (body(outputs=""), "outputs must be a list"),
        (body(outputs=[{"name": "logits"}] * 2), "asked for 2 times"),
        (body(outputs=[{"name": "logits", "parameters": 7}]), "parameters of the output logits"),
        (body(outputs=[asked(binary_data="yes")]), "binary_data is 'yes'; it must be true or"),
        (body(outputs=[asked(classification=-1)]), "number of classes"),
        (body(outputs=[asked(classification="3")]), "number of classes"),
        (body(outputs=[asked(shared_memory_region="a")]), "shared_memory_region of the output"),
        (body(parameters=7), "parameters of the request"),
        (body(parameters={"binary_data_output": 1}), "must be true or false"),
        (body(tensor(parameters={"shared_memory_region": "a"})), "region of the input image"),
        (body(outputs=[1]), "outputs must be a list"),
        (body(outputs=[{"name": "labels"}]), "no output 'labels'; there is logits"),
        (body(outputs=[{}]), "no output missing"),
    ],
)
def test_a_bad_body_is_refused_with_a_sentence(content: bytes, says: str) -> None:
    with pytest.raises(BadTensor, match=says) as refused:
        read(content)
    assert str(refused.value).endswith(".")
    assert len(str(refused.value)) < 400


@pytest.mark.parametrize("json_bytes", ["", "-1", "1e3", "²", "999999", "abc", "9" * 5000])
def test_a_json_length_that_does_not_fit_the_body_is_refused(json_bytes: str) -> None:
    with pytest.raises(BadTensor, match="Inference-Header-Content-Length"):
        read(body(), json_bytes)


def test_binary_values_of_the_wrong_number_are_refused() -> None:
    for content, json_bytes in (packed(b"\0" * 12), packed(b"\0" * 17), packed(b"", size=16)):
        with pytest.raises(BadTensor, match=r"bytes follow|it holds"):
            read(content, json_bytes)


def test_binary_values_that_are_not_finite_are_refused() -> None:
    content, json_bytes = packed(np.asarray([1, 2, 3, np.nan], "<f4").tobytes())
    with pytest.raises(BadTensor, match="finite"):
        read(content, json_bytes)


def test_bytes_after_a_tensor_in_json_are_refused() -> None:
    head = body()
    with pytest.raises(BadTensor, match="binary_data_size"):
        read(head + b"\0" * 16, str(len(head)))


@given(st.binary(max_size=200), st.none() | st.text(max_size=5))
@settings(max_examples=drawn(100))
def test_no_bytes_at_all_lead_to_anything_but_a_refusal(
    content: bytes, json_bytes: str | None
) -> None:
    with pytest.raises(BadTensor):
        read(content, json_bytes)


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=4), inner),
    max_leaves=10,
)


@given(
    st.sampled_from(["name", "shape", "datatype", "data", "parameters"]),
    json_values,
)
@settings(max_examples=drawn(150))
def test_whatever_stands_in_a_field_is_read_or_refused(field: str, value: object) -> None:
    try:
        question = read(body(tensor(**{field: value})))
    except BadTensor:
        return
    assert question.batch.shape == (1, 1, 2, 2)
    assert np.isfinite(question.batch).all()


def test_the_answer_in_json_echoes_the_id_and_names_model_and_version() -> None:
    question = read(body(id="seven"))
    logits = np.asarray([[0.5, 1, 2]], np.float32)
    answer = encode(logits, question, SIGNATURE, model="glyphs", version="tiny")
    assert answer.json_bytes is None
    assert json.loads(answer.body) == {
        "model_name": "glyphs",
        "model_version": "tiny",
        "id": "seven",
        "outputs": [
            {"name": "logits", "shape": [1, 3], "datatype": "FP32", "data": [0.5, 1.0, 2.0]}
        ],
    }


@pytest.mark.parametrize(
    "fields",
    [
        {"parameters": {"binary_data_output": True}},
        {"outputs": [{"name": "logits", "parameters": {"binary_data": True}}]},
    ],
)
def test_the_answer_in_binary_puts_the_values_behind_the_json(fields: dict[str, Any]) -> None:
    question = read(body(**fields))
    logits = np.asarray([[0.1, 1, 2]], np.float32)
    answer = encode(logits, question, SIGNATURE, model="glyphs", version="tiny")
    assert answer.json_bytes is not None
    output = json.loads(answer.body[: answer.json_bytes])["outputs"][0]
    assert output["parameters"] == {"binary_data_size": 12}
    assert "data" not in output
    assert answer.body[answer.json_bytes :] == logits.tobytes()


@pytest.mark.parametrize(
    ("all_binary", "this_binary", "binary"),
    [(True, None, True), (True, False, False), (False, True, True), (None, None, False)],
)
def test_what_is_said_of_an_output_goes_before_what_is_said_of_all(
    all_binary: bool | None, this_binary: bool | None, binary: bool
) -> None:
    fields = {
        "parameters": {"binary_data_output": all_binary},
        "outputs": [asked(binary_data=this_binary)],
    }
    assert read(body(**fields)).binary == binary


def test_fields_that_are_null_count_as_absent() -> None:
    nothing = {"id": None, "parameters": None, "outputs": None}
    question = read(json.dumps({"inputs": [{**tensor(), "parameters": None}], **nothing}).encode())
    assert (question.id, question.binary) == (None, False)


def test_parameters_that_nobody_knows_are_skipped_at_every_level() -> None:
    strange = {"sequence_id": 7, "content_type": "np", "priority": 1}
    content = body(tensor(parameters=strange), parameters=strange, outputs=[asked(**strange)])
    assert read(content).batch.shape == (1, 1, 2, 2)


def test_the_best_classes_come_as_text_with_value_and_index() -> None:
    question = read(body(outputs=[asked(classification=2)]))
    logits = np.asarray([[0.5, 2.25, 1], [7, 7, -1]], np.float32)
    answer = encode(logits, question, SIGNATURE, model="glyphs", version="tiny")
    assert json.loads(answer.body)["outputs"] == [
        {
            "name": "logits",
            "shape": [2, 2],
            "datatype": "BYTES",
            "data": ["2.25:1", "1.0:2", "7.0:0", "7.0:1"],
        }
    ]


def test_the_best_classes_in_binary_are_texts_with_their_lengths() -> None:
    question = read(body(outputs=[asked(classification=1, binary_data=True)]))
    logits = np.asarray([[0.5, 2.25, 1]], np.float32)
    answer = encode(logits, question, SIGNATURE, model="glyphs", version="tiny")
    assert answer.body[answer.json_bytes :] == b"\x06\0\0\x002.25:1"


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
def test_an_answer_that_is_not_finite_is_refused_in_json_and_carried_in_binary(
    value: float,
) -> None:
    logits = np.asarray([[0, value, 1]], np.float32)
    names: dict[str, Any] = {"model": "glyphs", "version": "tiny"}
    with pytest.raises(BadTensor, match="not finite"):
        encode(logits, read(body()), SIGNATURE, **names)
    binary = read(body(outputs=[asked(binary_data=True)]))
    answer = encode(logits, binary, SIGNATURE, **names)
    assert answer.body[answer.json_bytes :] == logits.tobytes()


def test_an_answer_that_is_a_view_of_something_larger_is_written_in_order() -> None:
    logits = np.arange(6, dtype=np.float32).reshape(3, 2).T
    answer = encode(logits, read(body()), SIGNATURE, model="glyphs", version="tiny")
    assert json.loads(answer.body)["outputs"][0]["data"] == [0, 2, 4, 1, 3, 5]
