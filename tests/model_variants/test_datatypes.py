"""Datatypes of the protocol: what is cast to FP32, and what is refused."""

import json
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from infadapter_server.networks.signatures import Floats, Signature
from infadapter_server.serving.oip.datatypes import DATATYPES
from infadapter_server.serving.protocol import BadTensor, parse
from tests.deep import drawn

SIGNATURE = Signature(input_shape=(4,), output_shape=(3,))
EXACT = 2**24


def in_json(datatype: str, data: list[Any]) -> Floats:
    tensor = {"name": "image", "shape": [1, 4], "datatype": datatype, "data": data}
    return parse(json.dumps({"inputs": [tensor]}).encode(), None, SIGNATURE, 1).batch


def in_binary(datatype: str, raw: bytes) -> Floats:
    tensor = {
        "name": "image",
        "shape": [1, 4],
        "datatype": datatype,
        "parameters": {"binary_data_size": len(raw)},
    }
    head = json.dumps({"inputs": [tensor]}).encode()
    return parse(head + raw, str(len(head)), SIGNATURE, 1).batch


@pytest.mark.parametrize("datatype", sorted(DATATYPES))
def test_small_numbers_of_every_datatype_mean_the_same_in_json_and_in_binary(datatype: str) -> None:
    values = [0, 1, 1, 0] if datatype == "BOOL" else [0, 1, 2, 100]
    raw = np.asarray(values, DATATYPES[datatype].stored).tobytes()
    for batch in (in_json(datatype, values), in_binary(datatype, raw)):
        assert batch.dtype == np.float32
        assert batch.tolist() == [values]
        assert batch.flags.writeable


def test_true_and_false_are_one_and_zero() -> None:
    assert in_json("BOOL", [True, False, 1, 0]).tolist() == [[1, 0, 1, 0]]


@pytest.mark.parametrize(
    ("datatype", "value", "says"),
    [
        ("UINT8", -1, "no UINT8"),
        ("UINT8", 256, "no UINT8"),
        ("INT8", 128, "no INT8"),
        ("INT16", 40_000, "no INT16"),
        ("INT32", 2**31, "no INT32"),
        ("UINT64", -1, "no UINT64"),
        ("INT32", 1.5, "whole numbers"),
        ("INT64", "1", "whole numbers"),
        ("BOOL", 2, "0 or 1"),
        ("INT32", EXACT + 1, "lie between"),
        ("INT64", -EXACT - 1, "lie between"),
        ("UINT64", 2**64 - 1, "lie between"),
        ("FP16", 70_000, "finite"),
        ("FP64", 1e39, "finite"),
    ],
)
def test_a_value_that_would_not_stay_what_it_is_is_refused(
    datatype: str, value: object, says: str
) -> None:
    with pytest.raises(BadTensor, match=says):
        in_json(datatype, [0, 1, 1, value])


@pytest.mark.parametrize("value", [EXACT, -EXACT])
def test_whole_numbers_that_fp32_holds_are_taken(value: int) -> None:
    assert in_json("INT64", [value, 0, 0, 0])[0, 0] == value


def test_fp16_text_has_the_precision_of_fp16() -> None:
    assert in_json("FP16", [0.1, 0, 0, 0])[0, 0] == np.float32(np.float16(0.1))


@pytest.mark.parametrize(("datatype", "raw"), [("BOOL", b"\0\1\2\0"), ("FP64", b"\0" * 12)])
def test_bytes_that_are_no_such_values_are_refused(datatype: str, raw: bytes) -> None:
    with pytest.raises(BadTensor, match=r"0 or 1|8 bytes a value"):
        in_binary(datatype, raw)


@given(
    st.sampled_from(sorted(DATATYPES)).flatmap(
        lambda name: st.tuples(st.just(name), arrays.arrays(DATATYPES[name].stored, 4))
    )
)
@settings(max_examples=drawn(150))
def test_what_is_taken_is_what_numpy_says_and_whole_numbers_stay_exact(sent: Any) -> None:
    datatype, values = sent
    try:
        batch = in_binary(datatype, values.tobytes())
    except BadTensor:
        return
    assert np.array_equal(batch[0], values.astype(np.float32))
    if DATATYPES[datatype].whole:
        assert [int(value) for value in batch[0]] == values.tolist()
