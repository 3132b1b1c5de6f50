"""
What every model of the API is built on.

A constraint stands once, in two languages side by side: Python, for the command line and the
operator, and CEL, for the API server, which refuses bad objects also when the operator is down.
Both give the same sentence.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, ClassVar, Self

from pydantic import (
    BaseModel,
    ConfigDict,
    GetJsonSchemaHandler,
    JsonValue,
    model_validator,
)
from pydantic.alias_generators import to_camel
from pydantic.json_schema import JsonSchemaValue
from pydantic_core import CoreSchema, PydanticCustomError

CelRule = dict[str, str]
VALIDATIONS = "x-kubernetes-validations"


def refusal(sentence: str, field: str = "") -> PydanticCustomError:
    """`field` is the path below the object that breaks the rule, as CEL's `fieldPath`."""
    return PydanticCustomError("refused", "{sentence}", {"sentence": sentence, "field": field})


@dataclass(frozen=True, slots=True, kw_only=True)
class Rule:
    """
    A constraint on several fields of one model.

    `cel` is empty where the schema says the same by other means (list-map keys); `says` and
    `cel_says` put the offending values into the sentence.
    """

    holds: Callable[[Any], bool]
    cel: str
    message: str
    field: str = ""
    says: Callable[[Any], str] | None = None
    cel_says: str = ""

    def check(self, value: object) -> None:
        if not self.holds(value):
            raise refusal(self.says(value) if self.says else self.message, self.field)

    def as_cel(self) -> CelRule:
        parts = {
            "rule": self.cel,
            "message": self.message,
            "messageExpression": self.cel_says,
            "fieldPath": self.field,
        }
        return {key: text for key, text in parts.items() if text}


class ApiModel(BaseModel):
    """Camel case outside, nothing unknown, nothing coerced, never changed."""

    model_config = ConfigDict(
        frozen=True,
        extra="forbid",
        strict=True,
        alias_generator=to_camel,
        validate_by_name=True,
        validate_by_alias=True,
        serialize_by_alias=True,
        use_attribute_docstrings=True,
    )
    rules: ClassVar[tuple[Rule, ...]] = ()

    @model_validator(mode="after")
    def _keep_rules(self) -> Self:
        for rule in self.rules:
            rule.check(self)
        return self

    @classmethod
    def __get_pydantic_json_schema__(
        cls, schema: CoreSchema, handler: GetJsonSchemaHandler
    ) -> JsonSchemaValue:
        json_schema = handler.resolve_ref_schema(handler(schema))
        if cel := [rule.as_cel() for rule in cls.rules if rule.cel]:
            json_schema[VALIDATIONS] = cel
        return json_schema

    def as_body(self) -> dict[str, Any]:
        """As the API server takes it: JSON values, camel case, absent fields left out."""
        return self.model_dump(mode="json", exclude_none=True)


def list_map(*keys: str) -> dict[str, JsonValue]:
    """A list whose items are told apart by these fields, which several owners may add to."""
    return {"x-kubernetes-list-type": "map", "x-kubernetes-list-map-keys": [*keys]}
