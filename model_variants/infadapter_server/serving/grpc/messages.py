"""
Convert gRPC messages to and from the form that REST parses from JSON, so that one parser serves
both.
"""

from collections.abc import Mapping
from typing import Any

from infadapter_scheduler.points import Point
from infadapter_server.networks.signatures import Floats, Signature
from infadapter_server.serving.grpc import inference_pb2 as pb
from infadapter_server.serving.oip import outputs
from infadapter_server.serving.oip.fields import BadTensor, shown
from infadapter_server.serving.protocol import Question, read

__all__ = ["answer", "question"]

_CONTENTS = {
    "BOOL": "bool_contents",
    **dict.fromkeys(("INT8", "INT16", "INT32"), "int_contents"),
    "INT64": "int64_contents",
    **dict.fromkeys(("UINT8", "UINT16", "UINT32"), "uint_contents"),
    "UINT64": "uint64_contents",
    "FP32": "fp32_contents",
    "FP64": "fp64_contents",
}
_SIZE = "binary_data_size"


def question(request: pb.ModelInferRequest, signature: Signature, max_batch: int) -> Question:
    """Parse a request. Raises BadTensor."""
    raw = request.raw_input_contents
    if raw and len(raw) != len(request.inputs):
        raise BadTensor(
            f"raw_input_contents holds {len(raw)} tensors, but there are {len(request.inputs)} "
            "inputs."
        )
    sizes: list[int | None] = [len(content) for content in raw]
    sizes = sizes or [None] * len(request.inputs)
    content = {
        "id": request.id or None,
        "parameters": _parameters(request.parameters),
        "inputs": [_input(*pair) for pair in zip(request.inputs, sizes, strict=True)],
        "outputs": [
            {"name": output.name, "parameters": _parameters(output.parameters)}
            for output in request.outputs
        ],
    }
    return read(content, raw[0] if raw else b"", signature, max_batch)


def answer(
    result: Floats,
    asked: Question,
    signature: Signature,
    *,
    model: str,
    version: str,
    point: Point | None = None,
) -> pb.ModelInferResponse:
    """Build the response; values are sent as bytes, which represent any result."""
    output = outputs.rendered(result, asked.wanted)
    described = pb.ModelInferResponse.InferOutputTensor(
        name=signature.output_name, datatype=output.datatype, shape=output.shape
    )
    return pb.ModelInferResponse(
        model_name=model,
        model_version=version,
        id=asked.id or "",
        parameters={} if point is None else _served_at(point),
        outputs=[described],
        raw_output_contents=[output.raw],
    )


def _served_at(point: Point) -> dict[str, pb.InferParameter]:
    accuracy = pb.InferParameter(double_param=point.accuracy)
    return {"point": pb.InferParameter(string_param=point.name), "accuracy": accuracy}


def _input(tensor: pb.ModelInferRequest.InferInputTensor, size: int | None) -> dict[str, Any]:
    parameters = {
        name: value for name, value in _parameters(tensor.parameters).items() if name != _SIZE
    }
    described = {
        "name": tensor.name,
        "datatype": tensor.datatype,
        "shape": list(tensor.shape),
        "parameters": parameters,
    }
    if size is None:
        return {**described, "data": _contents(tensor)}
    if tensor.HasField("contents"):
        raise BadTensor(
            f"The input {shown(tensor.name)} has both contents and raw_input_contents; "
            "send one of them."
        )
    parameters[_SIZE] = size
    return described


def _contents(tensor: pb.ModelInferRequest.InferInputTensor) -> list[Any]:
    field = _CONTENTS.get(tensor.datatype)
    if field is None:
        return []  # the datatype is refused by its name, or comes in raw_input_contents alone
    return list(getattr(tensor.contents, field))


def _parameters(given: Mapping[str, pb.InferParameter]) -> dict[str, Any]:
    return {name: _value(parameter) for name, parameter in given.items()}


def _value(parameter: pb.InferParameter) -> Any:
    choice = parameter.WhichOneof("parameter_choice")
    return None if choice is None else getattr(parameter, choice)
