"""The input tensor of a request: name, datatype, shape, and its values from JSON or binary data."""

import math
from collections.abc import Mapping
from itertools import chain
from typing import Any

import numpy.typing as npt

from infadapter_server.networks.signatures import Floats, Signature
from infadapter_server.serving.oip import datatypes
from infadapter_server.serving.oip.datatypes import Datatype
from infadapter_server.serving.oip.fields import BadTensor, parameters, shown, whole_number

__all__ = ["input_batch"]

_MOST_NESTED = 32
"""Largest number of dimensions; no network needs more, and numpy allows 64."""


def input_batch(
    content: Mapping[str, Any], tail: bytes, signature: Signature, max_batch: int
) -> Floats:
    """Return the batch of a request; `tail` holds binary values. Raises BadTensor."""
    tensor = _input(content, signature)
    kind = datatypes.datatype(tensor.get("datatype"), signature.input_name)
    shape = _shape(tensor, signature, max_batch)
    given = parameters(tensor, f"the input {signature.input_name}")
    size = whole_number(given, "binary_data_size", 0, "bytes")
    values = _listed(tensor, tail, kind) if size is None else _packed(tensor, size, tail, kind)
    _check_size(values, shape, signature.input_name)
    return datatypes.floats(values, kind, signature.input_name).reshape(shape)


def _input(content: Mapping[str, Any], signature: Signature) -> Mapping[str, Any]:
    inputs = content.get("inputs")
    wanted = signature.input_name
    if not isinstance(inputs, list) or not all(isinstance(tensor, dict) for tensor in inputs):
        raise BadTensor(f"The field inputs must be a list of one tensor, named {wanted}.")
    if len(inputs) != 1:
        raise BadTensor(
            f"The field inputs must be a list of one tensor, named {wanted}; "
            f"it holds {len(inputs)}."
        )
    tensor: Mapping[str, Any] = inputs[0]
    if tensor.get("name") != wanted:
        raise BadTensor(f"The input is named {shown(tensor.get('name'))}; it must be {wanted}.")
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
        sizes = ", ".join(map(str, ("n", *wanted)))
        raise BadTensor(
            f"The shape of {signature.input_name} is {shown(given)}; "
            f"it must be [{sizes}] with n from 1 to {max_batch}."
        )
    return tuple(given)  # type: ignore[arg-type]  # `fits` says it is a list


def _listed(tensor: Mapping[str, Any], tail: bytes, kind: Datatype) -> npt.NDArray[Any]:
    """Return the values of a tensor in JSON, flat or nested."""
    data = tensor.get("data")
    if tail or not isinstance(data, list):
        raise BadTensor(
            "The input must bring its values either as a list in the field data "
            "or as bytes, counted by the parameter binary_data_size."
        )
    leaves, shape = _flattened(data)
    return datatypes.listed(leaves, kind).reshape(shape)


def _flattened(data: list[Any]) -> tuple[list[Any], tuple[int, ...]]:
    """Return the numbers of nested lists, and the shape of the nesting."""
    shape = [len(data)]
    while data and isinstance(data[0], list):
        if not all(isinstance(inner, list) for inner in data):
            raise BadTensor("The field data must hold numbers and nothing else.")
        shape.append(len(data[0]))
        if any(len(inner) != shape[-1] for inner in data):
            raise BadTensor("The lists in data differ in length or depth.")
        if len(shape) > _MOST_NESTED:
            raise BadTensor(f"The lists in data are nested more than {_MOST_NESTED} deep.")
        data = list(chain.from_iterable(data))
    return data, tuple(shape)


def _packed(tensor: Mapping[str, Any], size: int, tail: bytes, kind: Datatype) -> npt.NDArray[Any]:
    """Return the values of a tensor whose little-endian bytes follow the JSON."""
    if tensor.get("data") is not None:
        raise BadTensor("The input has both data and binary_data_size; send one of them.")
    if size != len(tail) or size % kind.value_bytes:
        raise BadTensor(
            f"binary_data_size is {size}, but {len(tail)} bytes follow the JSON; "
            f"they must be equal, {kind.value_bytes} bytes a value."
        )
    return datatypes.packed(tail, kind)


def _check_size(values: npt.NDArray[Any], shape: tuple[int, ...], name: str) -> None:
    nested_otherwise = values.ndim > 1 and values.shape != shape
    if values.size != math.prod(shape) or nested_otherwise:
        held = " × ".join(map(str, values.shape[:8]))
        raise BadTensor(
            f"The shape of {name} says {list(shape)}, {math.prod(shape)} values; it holds {held}."
        )
