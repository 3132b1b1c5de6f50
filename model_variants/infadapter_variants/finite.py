"""A number on the command line that is one: neither NaN nor infinite."""

import math
from typing import Any

import click


class Finite(click.FloatRange):
    """As click's FloatRange, which lets NaN through whatever its limits, and infinity without."""

    def convert(
        self, value: Any, param: click.Parameter | None, ctx: click.Context | None
    ) -> float:
        number: float = super().convert(value, param, ctx)
        if not math.isfinite(number):
            self.fail(f"{value!r} is no number within the limits.", param, ctx)
        return number
