"""
The Open Inference Protocol v2: parse a request to a batch, and encode a network's output.

Parsing is by hand with orjson and numpy: a model of the whole body (pydantic) costs more than the
rest of the HTTP front end, and would describe tensors that no variant takes. Both forms are
supported, JSON and the binary-tensor extension, and every fault is a BadTensor with a sentence that
names the field. `read` is common to JSON and gRPC.

Specification: https://github.com/kserve/open-inference-protocol (inference_rest.md) and, for the
binary form and classification, the extension_*.md of the Triton Inference Server.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import orjson

from infadapter_scheduler.points import Point
from infadapter_server.networks.signatures import Floats, Signature
from infadapter_server.serving.oip import outputs
from infadapter_server.serving.oip.fields import BadTensor, parameters
from infadapter_server.serving.oip.outputs import Rendered, Wanted
from infadapter_server.serving.oip.tensors import input_batch

__all__ = ["Answer", "BadTensor", "Question", "encode", "parse", "read"]

_LONGEST_ID = 256
_LONGEST_NUMBER = 12


@dataclass(frozen=True, slots=True, kw_only=True)
class Question:
    """A parsed request: its batch, and the form of its answer."""

    batch: Floats
    id: str | None = None
    wanted: Wanted = field(default_factory=Wanted)
    timeout_us: object = None  # as it was sent: `deadlines` reads it
    accuracy_floor: object = None  # as it was sent: `floors` reads it

    @property
    def binary(self) -> bool:
        """Whether the answer's values follow its JSON as bytes."""
        return self.wanted.binary


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """A body, and the length of its JSON part if binary tensors follow."""

    body: bytes
    json_bytes: int | None


def parse(body: bytes, json_bytes: str | None, signature: Signature, max_batch: int) -> Question:
    """
    Parse a request body.

    `json_bytes` is the header Inference-Header-Content-Length: where the JSON ends and binary
    tensors begin; None if the body is JSON only. Raises BadTensor.
    """
    head, tail = _split(body, json_bytes)
    return read(_json_object(head), tail, signature, max_batch)


def read(content: Mapping[str, Any], tail: bytes, signature: Signature, max_batch: int) -> Question:
    """Parse a request from JSON or gRPC; `tail` holds its binary values. Raises BadTensor."""
    given = parameters(content, "the request")
    return Question(
        wanted=outputs.wanted(content, signature.output_name),
        batch=input_batch(content, tail, signature, max_batch),
        id=_id(content),
        timeout_us=given.get("timeout"),
        accuracy_floor=given.get("accuracy_floor"),
    )


def encode(
    result: Floats,
    question: Question,
    signature: Signature,
    *,
    model: str,
    version: str,
    point: Point | None = None,
) -> Answer:
    """
    Return the answer in the requested form, with the operating point that gave it. Raises BadTensor
    if that form cannot represent it.
    """
    output = outputs.rendered(result, question.wanted)
    described = {
        "name": signature.output_name,
        "shape": list(output.shape),
        "datatype": output.datatype,
    }
    content: dict[str, Any] = {"model_name": model, "model_version": version}
    if question.id is not None:
        content["id"] = question.id
    if point is not None:
        content["parameters"] = {"point": point.name, "accuracy": point.accuracy}
    if question.binary:
        return _binary(content, described, output)
    content["outputs"] = [{**described, "data": output.data}]
    return Answer(body=orjson.dumps(content, option=orjson.OPT_SERIALIZE_NUMPY), json_bytes=None)


def _binary(content: dict[str, Any], described: dict[str, Any], output: Rendered) -> Answer:
    raw = output.raw
    content["outputs"] = [{**described, "parameters": {"binary_data_size": len(raw)}}]
    head = orjson.dumps(content)
    return Answer(body=head + raw, json_bytes=len(head))


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


def _id(content: Mapping[str, Any]) -> str | None:
    given = content.get("id")
    if given is not None and (not isinstance(given, str) or len(given) > _LONGEST_ID):
        raise BadTensor(f"The field id must be text of at most {_LONGEST_ID} characters.")
    return given
