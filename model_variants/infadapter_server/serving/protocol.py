"""The Open Inference Protocol v2 as bytes: a request body to a batch, an answer to a body.

Parsing is by hand, on orjson and numpy: a model of the whole body (pydantic) costs more than the
rest of the HTTP side together, and would describe tensors that no variant takes. Both forms of
the protocol are understood, JSON and the binary-tensor extension, and every fault is a BadTensor
with a sentence that names the field.
Specification: https://github.com/kserve/open-inference-protocol (inference_rest.md) and, for the
binary form, the extension_binary_data.md of the Triton Inference Server.
"""

import math
import reprlib
from array import array
from collections.abc import Mapping
from dataclasses import dataclass
from itertools import chain
from typing import Any

import numpy as np
import orjson

from infadapter_server.networks.signatures import Floats, Signature

__all__ = ["Answer", "BadTensor", "Question", "encode", "parse"]

_BYTES_PER_VALUE = 4
_LONGEST_ID = 256
_LONGEST_NUMBER = 12


class BadTensor(ValueError):
    """The request holds no tensor that the model can answer; the message says why."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Question:
    """A request that was understood: its batch, and how its answer is wanted."""

    batch: Floats
    id: str | None
    binary: bool
    timeout_us: object = None  # as it was sent: `deadlines` reads it


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """A body, and the length of its JSON head if binary tensors follow it."""

    body: bytes
    json_bytes: int | None


def parse(body: bytes, json_bytes: str | None, signature: Signature, max_batch: int) -> Question:
    """Read a request body.

    `json_bytes` is the header Inference-Header-Content-Length: where the JSON ends and binary
    tensors begin; None if the body is JSON alone. Raises BadTensor.
    """
    head, tail = _split(body, json_bytes)
    content = _json_object(head)
    tensor = _input(content, signature)
    shape = _shape(tensor, signature, max_batch)
    size = _binary_size(tensor)
    values = _listed(tensor, tail) if size is None else _packed(tensor, size, tail)
    return Question(
        batch=_reshape(values, shape, signature.input_name),
        id=_id(content),
        binary=_wants_binary(content, signature.output_name),
        timeout_us=_parameters(content).get("timeout"),
    )


def encode(
    result: Floats, question: Question, signature: Signature, *, model: str, version: str
) -> Answer:
    """Write the answer in the form that the question asked for."""
    output: dict[str, Any] = {
        "name": signature.output_name,
        "shape": list(result.shape),
        "datatype": "FP32",
    }
    content: dict[str, Any] = {"model_name": model, "model_version": version, "outputs": [output]}
    if question.id is not None:
        content["id"] = question.id
    if question.binary:
        output["parameters"] = {"binary_data_size": result.nbytes}
        head = orjson.dumps(content)
        return Answer(body=head + result.astype("<f4").tobytes(), json_bytes=len(head))
    output["data"] = np.ascontiguousarray(result).ravel()
    return Answer(body=orjson.dumps(content, option=orjson.OPT_SERIALIZE_NUMPY), json_bytes=None)


def _split(body: bytes, json_bytes: str | None) -> tuple[bytes, bytes]:
    if json_bytes is None:
        return body, b""
    plain = json_bytes.isascii() and json_bytes.isdigit() and len(json_bytes) <= _LONGEST_NUMBER
    if not plain or int(json_bytes) > len(body):
        raise BadTensor(
            f"Inference-Header-Content-Length must be a whole number of at most {len(body)}, "
            "the length of the body."
        )
    return body[: int(json_bytes)], body[int(json_bytes) :]


def _json_object(head: bytes) -> Mapping[str, Any]:
    try:
        content = orjson.loads(head)
    except orjson.JSONDecodeError as error:
        raise BadTensor(f"The body is not JSON: {error}.") from None
    if not isinstance(content, dict):
        raise BadTensor("The body must be a JSON object with the field inputs.")
    return content


def _input(content: Mapping[str, Any], signature: Signature) -> Mapping[str, Any]:
    inputs = content.get("inputs")
    if not isinstance(inputs, list) or len(inputs) != 1 or not isinstance(inputs[0], dict):
        raise BadTensor(
            f"The field inputs must be a list of one tensor, named {signature.input_name}."
        )
    tensor: Mapping[str, Any] = inputs[0]
    name = tensor.get("name")
    if name != signature.input_name:
        raise BadTensor(f"The input is named {_shown(name)}; it must be {signature.input_name}.")
    datatype = tensor.get("datatype")
    if datatype != "FP32":
        raise BadTensor(f"The datatype of {name} is {_shown(datatype)}; it must be FP32.")
    return tensor


def _shape(tensor: Mapping[str, Any], signature: Signature, max_batch: int) -> tuple[int, ...]:
    given = tensor.get("shape")
    wanted = signature.input_shape
    fits = (
        isinstance(given, list)
        and len(given) == len(wanted) + 1
        and all(type(size) is int for size in given)
        and tuple(given[1:]) == wanted
        and 1 <= given[0] <= max_batch
    )
    if not fits:
        sizes = ", ".join(map(str, wanted))
        raise BadTensor(
            f"The shape of {signature.input_name} is {_shown(given)}; "
            f"it must be [n, {sizes}] with n from 1 to {max_batch}."
        )
    return tuple(given)  # type: ignore[arg-type]  # `fits` says it is a list


def _binary_size(tensor: Mapping[str, Any]) -> int | None:
    parameters = tensor.get("parameters", {})
    if not isinstance(parameters, dict):
        raise BadTensor("The field parameters of the input must be an object.")
    size = parameters.get("binary_data_size")
    if size is not None and (type(size) is not int or size < 0):
        raise BadTensor(f"binary_data_size is {_shown(size)}; it must be a number of bytes.")
    return size


def _listed(tensor: Mapping[str, Any], tail: bytes) -> Floats:
    """The values of a tensor that came as JSON, flat or nested."""
    data = tensor.get("data")
    if tail or not isinstance(data, list):
        raise BadTensor(
            "The input must bring its values either as a list in the field data "
            "or as bytes, counted by the parameter binary_data_size."
        )
    try:
        # numpy alone would read text as numbers, and need memory without bounds for long text.
        flat = array("f", _leaves(data))
        if not (data and isinstance(data[0], list)):
            return np.asarray(flat)
        with np.errstate(over="ignore"):  # becomes infinite, and is refused as such
            return np.asarray(data, np.float32)
    except TypeError:
        raise BadTensor("The field data must hold numbers and nothing else.") from None
    except ValueError:
        raise BadTensor("The lists in data differ in length or depth.") from None


def _leaves(data: list[Any]) -> list[Any]:
    while data and isinstance(data[0], list):
        data = list(chain.from_iterable(data))
    return data


def _packed(tensor: Mapping[str, Any], size: int, tail: bytes) -> Floats:
    """The values of a tensor whose bytes follow the JSON, little-endian."""
    if "data" in tensor:
        raise BadTensor("The input has both data and binary_data_size; send one of them.")
    if size != len(tail) or size % _BYTES_PER_VALUE:
        raise BadTensor(
            f"binary_data_size is {size}, but {len(tail)} bytes follow the JSON; "
            f"they must be equal, {_BYTES_PER_VALUE} bytes a value."
        )
    return np.frombuffer(tail, "<f4").astype(np.float32)  # a copy: torch wants to own its memory


def _reshape(values: Floats, shape: tuple[int, ...], name: str) -> Floats:
    nested_otherwise = values.ndim > 1 and values.shape != shape
    if values.size != math.prod(shape) or nested_otherwise:
        held = " × ".join(map(str, values.shape))
        raise BadTensor(
            f"The shape of {name} says {list(shape)}, {math.prod(shape)} values; it holds {held}."
        )
    if not np.isfinite(values).all():
        raise BadTensor(f"The values of {name} must be finite and fit into FP32.")
    return values.reshape(shape)


def _id(content: Mapping[str, Any]) -> str | None:
    given = content.get("id")
    if given is not None and (not isinstance(given, str) or len(given) > _LONGEST_ID):
        raise BadTensor(f"The field id must be text of at most {_LONGEST_ID} characters.")
    return given


def _wants_binary(content: Mapping[str, Any], name: str) -> bool:
    outputs = content.get("outputs", [])
    if not isinstance(outputs, list) or not all(isinstance(output, dict) for output in outputs):
        raise BadTensor("The field outputs must be a list of objects.")
    for output in outputs:
        if output.get("name") != name:
            raise BadTensor(f"There is no output {_shown(output.get('name'))}; there is {name}.")
    return _flag(content, "binary_data_output") or any(
        _flag(output, "binary_data") for output in outputs
    )


def _flag(holder: Mapping[str, Any], name: str) -> bool:
    return _parameters(holder).get(name) is True


def _parameters(holder: Mapping[str, Any]) -> Mapping[str, Any]:
    parameters = holder.get("parameters", {})
    return parameters if isinstance(parameters, dict) else {}


def _shown(value: object) -> str:
    """A stranger's value, short enough for a message."""
    return "missing" if value is None else reprlib.repr(value)
