"""
From a pydantic model to the structural schema of a CRD.

pydantic writes JSON Schema; a CRD takes less (no $ref, const, or two types for one field) and some
things under another name. What can't be said in a CRD is an error here, never dropped in silence.
"""

from typing import Any

from pydantic import BaseModel
from pydantic.json_schema import GenerateJsonSchema, JsonSchemaValue
from pydantic_core import core_schema

from infadapter_profiles.quantities import decimal_text

Schema = dict[str, Any]

INT_OR_STRING = "x-kubernetes-int-or-string"
PRESERVE = "x-kubernetes-preserve-unknown-fields"
NOISE = {"title", "examples", "deprecated", "readOnly", "writeOnly", "discriminator", "$defs"}


class NotStructural(ValueError):
    """A model says something that a CRD has no word for."""


class _WithoutNull(GenerateJsonSchema):
    """`X | None` is X: in a CRD, a field that may be absent is just not required."""

    def nullable_schema(self, schema: core_schema.NullableSchema) -> JsonSchemaValue:
        return self.generate_inner(schema["schema"])


def structural_schema(model: type[BaseModel]) -> Schema:
    """Raises NotStructural."""
    generated = model.model_json_schema(by_alias=True, schema_generator=_WithoutNull)
    return _structural(generated, generated.get("$defs", {}), model.__name__)


def _structural(node: Schema, definitions: Schema, path: str) -> Schema:
    if "$ref" in node:
        definition = definitions[node["$ref"].rpartition("/")[2]]
        siblings = {key: value for key, value in node.items() if key != "$ref"}
        return _structural(definition | siblings, definitions, path)
    schema: Schema = {}
    for key, value in node.items():
        if key in NOISE or (key == "default" and value is None):
            continue
        schema |= _translated(key, value, definitions, path)
    if not schema.keys() & {"type", INT_OR_STRING, PRESERVE}:
        raise NotStructural(f"{path} has no single type: give it one with WithJsonSchema")
    if "default" in schema:
        schema["default"] = _default(schema["default"], schema)
    return schema


def _translated(key: str, value: Any, definitions: Schema, path: str) -> Schema:
    """One keyword of JSON Schema as keywords of a CRD."""
    match key, value:
        case "const", _:
            return {"enum": [value]}
        case "exclusiveMinimum" | "exclusiveMaximum", _:
            return {f"m{key[10:]}": value, key: True}
        case "additionalProperties", bool():
            return {PRESERVE: True} if value else {}
        case "items" | "additionalProperties", dict():
            return {key: _structural(value, definitions, f"{path}.{key}")}
        case "properties", dict():
            return {key: {n: _structural(s, definitions, f"{path}.{n}") for n, s in value.items()}}
        case "prefixItems" | "propertyNames" | "patternProperties" | "uniqueItems" | "oneOf", _:
            raise NotStructural(f"{path}: a CRD can't say {key}")
        case _:
            return {key: value}


def _default(value: Any, schema: Schema) -> Any:
    """As the API writes it: decimals as strings, nothing that is absent."""
    if isinstance(value, dict):
        values = schema.get("additionalProperties", {})
        return {key: _default(item, values) for key, item in value.items() if item is not None}
    if isinstance(value, int | float) and schema.get("type") == "string":
        return decimal_text(value)
    return value
