"""A command line number that must be finite and within limits."""

import math
from typing import Any

import click


class Finite(click.FloatRange):
    """click's range, which by itself accepts NaN and, on an open side, infinity."""

    def convert(
        self, value: Any, param: click.Parameter | None, ctx: click.Context | None
    ) -> float:
        number = float(super().convert(value, param, ctx))
        if not math.isfinite(number):
            self.fail(f"{value!r} is no number {self._limits()}.", param, ctx)
        return number

    def _limits(self) -> str:
        if self.min is None:
            return "that is finite" if self.max is None else f"up to {self.max:g}"
        if self.max is None:
            return f"above {self.min:g}" if self.min_open else f"from {self.min:g} on"
        return f"from {self.min:g} to {self.max:g}"
