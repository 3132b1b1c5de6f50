"""
Decimal numbers of the API: floats in code, strings in objects, because a float loses digits on its
way through other people's tools.
"""

import math
import operator
import re
from dataclasses import dataclass
from typing import Annotated

from pydantic import GetCoreSchemaHandler, GetJsonSchemaHandler
from pydantic.json_schema import JsonSchemaValue
from pydantic_core import CoreSchema, core_schema

from infadapter_operator.api.model import VALIDATIONS, refusal
from infadapter_profiles.quantities import decimal_text

DECIMAL_SYNTAX = "-?(0|[1-9][0-9]{0,11})([.][0-9]{1,12})?"
_COMPARE = {">=": operator.ge, ">": operator.gt, "<=": operator.le, "<": operator.lt}


MOST = 10.0**12 - 1
"""As many digits as are taken before the point."""


def written(number: float) -> str:
    """
    A status that says more would be refused as a whole, each second anew, and nothing be known.
    What a spec says is multiplied in it: rates by a reserve, amounts by prices.
    """
    return decimal_text(max(-MOST, min(MOST, number)))


@dataclass(frozen=True, slots=True)
class DecimalString:
    """Annotates a float that objects hold as a string; Python code may give it a number."""

    words: str
    example: str
    limits: tuple[tuple[str, float], ...] = ()

    @property
    def message(self) -> str:
        return f'must be {self.words}, as a string such as "{self.example}"'

    def from_text(self, text: object) -> float:
        if not isinstance(text, str) or not re.fullmatch(DECIMAL_SYNTAX, text):
            raise refusal(self.message)
        return self.from_number(float(text))

    def from_number(self, number: float | str) -> float:
        if isinstance(number, str):
            return self.from_text(number)
        if not math.isfinite(number) or not all(
            _COMPARE[sign](number, bound) for sign, bound in self.limits
        ):
            raise refusal(self.message)
        return float(number)

    def __get_pydantic_core_schema__(
        self, source: object, handler: GetCoreSchemaHandler
    ) -> CoreSchema:
        return core_schema.json_or_python_schema(
            json_schema=core_schema.no_info_plain_validator_function(self.from_text),
            python_schema=core_schema.no_info_plain_validator_function(self.from_number),
            serialization=core_schema.plain_serializer_function_ser_schema(
                written, when_used="json"
            ),
        )

    def __get_pydantic_json_schema__(
        self, schema: CoreSchema, handler: GetJsonSchemaHandler
    ) -> JsonSchemaValue:
        bounds = "".join(f" && double(self) {sign} {bound:.1f}" for sign, bound in self.limits)
        cel = f"self.matches('^{DECIMAL_SYNTAX}$'){bounds}"
        rules = [{"rule": cel, "message": self.message}]
        return {"type": "string", "maxLength": 26, VALIDATIONS: rules}


AnyNumber = Annotated[float, DecimalString("a decimal number", "-0.05")]
Weight = Annotated[float, DecimalString("a decimal number of at least 0", "0.05", ((">=", 0.0),))]
Positive = Annotated[float, DecimalString("a decimal number above 0", "4.5", ((">", 0.0),))]
Fraction = Annotated[
    float, DecimalString("a decimal number from 0 to 1", "0.7613", ((">=", 0.0), ("<=", 1.0)))
]
Quantile = Annotated[
    float,
    DecimalString("a decimal number above 0 and below 1", "0.95", ((">", 0.0), ("<", 1.0))),
]
