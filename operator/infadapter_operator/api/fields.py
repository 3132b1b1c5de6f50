"""
The kinds of value the API knows beside decimal numbers: quantities, names, percentiles, times.

A field that breaks its kind is refused with the same sentence here and by the API server.
"""

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Annotated, Any

from pydantic import (
    AfterValidator,
    AwareDatetime,
    Field,
    GetCoreSchemaHandler,
    GetJsonSchemaHandler,
)
from pydantic.json_schema import JsonSchemaValue
from pydantic_core import CoreSchema, core_schema

from infadapter_forecasting.local_time import is_zone
from infadapter_operator.api.decimals import Weight
from infadapter_operator.api.model import VALIDATIONS, Rule, refusal
from infadapter_profiles.quantities import (
    EXTENDED_RESOURCE,
    RESOURCE_NAMES,
    InvalidQuantity,
    is_resource_name,
    parse_quantity,
)
from infadapter_solver.problem import CPU

QUANTITY_MESSAGE = 'must be a quantity from 0 to 1P, such as 20 or "500m"'
QUANTITY_CEL = (  # isQuantity takes ".", "+" and "e3" for zero
    "type(self) == int ? self >= 0 && self <= 1000000000000000"
    " : isQuantity(self) && self.matches('^[-+]?[.]?[0-9]')"
    " && sign(quantity(self)) >= 0 && !quantity(self).isGreaterThan(quantity('1P'))"
)


@dataclass(frozen=True, slots=True)
class QuantitySyntax:
    """Annotates an amount of one resource, kept as it was written."""

    def check(self, value: object) -> int | str:
        if not isinstance(value, int | str):
            raise refusal(QUANTITY_MESSAGE)
        try:
            parse_quantity(value)
        except InvalidQuantity:
            raise refusal(QUANTITY_MESSAGE) from None
        return value

    def __get_pydantic_core_schema__(
        self, source: object, handler: GetCoreSchemaHandler
    ) -> CoreSchema:
        return core_schema.no_info_plain_validator_function(self.check)

    def __get_pydantic_json_schema__(
        self, schema: CoreSchema, handler: GetJsonSchemaHandler
    ) -> JsonSchemaValue:
        return {
            "x-kubernetes-int-or-string": True,
            "anyOf": [{"type": "integer"}, {"type": "string"}],
            "maxLength": 32,
            VALIDATIONS: [{"rule": QUANTITY_CEL, "message": QUANTITY_MESSAGE}],
        }


QuantityValue = Annotated[int | str, QuantitySyntax()]


@dataclass(frozen=True, slots=True)
class Rules:
    """Annotates a value, or a map whose keys are bounded too, with rules in both languages."""

    rules: tuple[Rule, ...]

    def check(self, value: Any) -> Any:
        for rule in self.rules:
            rule.check(value)
        return value

    def __get_pydantic_core_schema__(
        self, source: object, handler: GetCoreSchemaHandler
    ) -> CoreSchema:
        return core_schema.no_info_after_validator_function(self.check, handler(source))

    def __get_pydantic_json_schema__(
        self, schema: CoreSchema, handler: GetJsonSchemaHandler
    ) -> JsonSchemaValue:
        return {**handler(schema), VALIDATIONS: [rule.as_cel() for rule in self.rules]}


KNOWN_RESOURCES = Rule(
    holds=lambda amounts: all(is_resource_name(name) for name in amounts),
    cel=f"self.all(r, r == 'cpu' || size(r) <= 128 && r.matches('^{EXTENDED_RESOURCE}$'))",
    message=f"may name {RESOURCE_NAMES} only",
)
WHOLE_DEVICES = Rule(
    holds=lambda amounts: all(
        name == CPU or re.fullmatch("[0-9]+", str(quantity)) for name, quantity in amounts.items()
    ),
    cel="self.all(r, r == 'cpu' || type(self[r]) == int || self[r].matches('^[0-9]+$'))",
    message="extended resources are whole numbers, such as 2",
)

ResourceList = Annotated[
    Mapping[str, QuantityValue],
    Field(min_length=1, max_length=8),
    Rules((KNOWN_RESOURCES, WHOLE_DEVICES)),
]
Prices = Annotated[Mapping[str, Weight], Field(max_length=8), Rules((KNOWN_RESOURCES,))]


def _matches(pattern: str, message: str) -> Rules:
    """A sentence in place of a pattern, which the API server would only repeat."""
    whole = re.compile(pattern)
    return Rules(
        (
            Rule(
                holds=lambda text: whole.fullmatch(text) is not None,
                cel=f"self.matches('^({pattern})$')",
                message=message,
            ),
        )
    )


LABEL = "[a-z0-9]([-a-z0-9]*[a-z0-9])?"
DnsLabel = Annotated[
    str,
    Field(max_length=63),
    _matches(
        LABEL,
        "must be a DNS label: at most 63 lower-case letters, digits and '-', with a letter or digit"
        " at both ends",
    ),
]
ObjectName = Annotated[
    str,
    Field(max_length=253),
    _matches(f"{LABEL}([.]{LABEL})*", "must be an object's name: DNS labels joined by dots"),
]
Hostname = Annotated[
    str,
    Field(max_length=253),
    _matches(
        f"([*][.])?{LABEL}([.]{LABEL})*",
        "must be a host name such as resnet.example.com or *.example.com",
    ),
]


def _known_zone(name: str) -> str:
    """The API server can't know: its database may be another one than the operator's."""
    if not is_zone(name):
        raise refusal(
            f"{json.dumps(name)} is no time zone of the IANA database that the operator has: write"
            " one such as Europe/Berlin"
        )
    return name


TimeZone = Annotated[
    str,
    Field(max_length=64),
    _matches(
        "[A-Za-z][-+_A-Za-z0-9]*(/[-+_A-Za-z0-9]+)*",
        "must be a time zone of the IANA database such as Europe/Berlin",
    ),
    AfterValidator(_known_zone),
]

Percentile = Annotated[
    float,
    Rules(
        (
            Rule(
                holds=lambda percentile: 1 <= percentile <= 99.99,
                cel="self >= 1.0 && self <= 99.99",
                message="must be a percentile from 1 to 99.99",
            ),
        )
    ),
]
Port = Annotated[int, Field(ge=1, le=65535)]


def _whole_second(moment: datetime) -> datetime:
    return moment.astimezone(UTC).replace(microsecond=0)


Timestamp = Annotated[AwareDatetime, AfterValidator(_whole_second)]
