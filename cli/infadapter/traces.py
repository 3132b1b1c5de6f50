"""The options that say which part of a trace is meant, and the trace; no simulation is imported."""

from collections.abc import Callable, Iterable
from typing import Any, TypeVar

import click

from infadapter.options import number_between

Command = TypeVar("Command", bound=Callable[..., Any])
Option = Callable[[Command], Command]


def with_options(command: Command, options: Iterable[Option[Command]]) -> Command:
    """In this order in the help."""
    for option in reversed(tuple(options)):
        command = option(command)
    return command


def part_options(*, required: bool, begin: str) -> tuple[Option[Any], ...]:
    """`begin` is the help of --from."""
    return (
        click.option(
            "--trace",
            required=required,
            metavar="FILE",
            help="Requests per second, time stamps, an access log, … or synthetic:KIND[:SEED].",
        ),
        click.option("--trace-format", metavar="FORMAT", help="Where it is not recognised."),
        click.option("--keep-zeros", is_flag=True, help="Long silence is load, not a gap."),
        click.option(
            "--rate-scale",
            type=number_between(1e-6, 1e6),
            metavar="NUMBER",
            default="1",
            show_default=True,
            help="Multiplies the trace's rates.",
        ),
        click.option(
            "--from",
            "from_s",
            type=click.IntRange(min=0),
            metavar="SECOND",
            default=0,
            help=begin,
        ),
        click.option(
            "--to", "to_s", type=click.IntRange(min=1), metavar="SECOND", help="End before it."
        ),
    )
