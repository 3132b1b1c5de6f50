"""A command line amount of memory, in Kubernetes' notation."""

import click

from infadapter_profiles.quantities import InvalidQuantity, whole_units

LEAST_BYTES = 1024 * 1024
"""One page; models take whole pages."""


class Memory(click.ParamType[int]):
    name = "QUANTITY"

    def convert(self, value: str, param: click.Parameter | None, ctx: click.Context | None) -> int:
        try:
            size = whole_units(value)
        except InvalidQuantity as error:
            self.fail(f"{error}.", param, ctx)
        if size < LEAST_BYTES:
            self.fail(f"{value} is less than {LEAST_BYTES} bytes.", param, ctx)
        return size
