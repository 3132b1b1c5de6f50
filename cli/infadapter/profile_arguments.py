"""Validate the arguments of `infadapter profile` before anything is started."""

import re
from collections.abc import Callable, Sequence
from itertools import product
from pathlib import Path
from typing import Any, TypeVar

import click

from infadapter.cluster.reference import Reference, parse_reference
from infadapter_profiles.files import ProfileFileError, check_writable
from infadapter_profiles.quantities import InvalidQuantity, parse_quantity
from infadapter_server.loadgen.bodies import BodyError
from infadapter_server.loadgen.endpoint import UrlError
from infadapter_server.profiling.points import ALL
from infadapter_server.profiling.steps import Goal

T = TypeVar("T")
_MILLICORES, _BATCH = "{millicores}", "{batch}"


def millicores(_: click.Context, __: click.Parameter, texts: tuple[str, ...]) -> tuple[int, ...]:
    return tuple(_amount(text) for text in texts)


def _amount(text: str) -> int:
    try:
        amount = 1000 * parse_quantity(text)
    except InvalidQuantity as error:
        raise click.BadParameter(f"{text!r} is not an amount such as 4 or 500m.") from error
    if amount == 0 or amount != int(amount):
        raise click.BadParameter(f"{text!r} is not a positive amount in whole thousandths.")
    return int(amount)


def object_name(_: click.Context, parameter: click.Parameter, text: str | None) -> str | None:
    if text is not None and not re.fullmatch(r"[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?", text):
        raise click.BadParameter(f"{text!r} must be lower-case letters, digits and dashes.")
    return text


def resource_of(_: click.Context, __: click.Parameter, text: str | None) -> dict[str, int]:
    if text is None:
        return {}
    name, _equals, amount = text.partition("=")
    if "/" not in name or not amount.isdecimal() or int(amount) < 1:
        raise click.BadParameter(f"{text!r} must be like nvidia.com/gpu=1.")
    return {name: int(amount)}


def points_of(
    _: click.Context, __: click.Parameter, text: str | None
) -> str | tuple[str, ...] | None:
    if text is None or text == ALL:
        return text
    names = tuple(name.strip() for name in text.split(","))
    if not all(names):
        raise click.BadParameter(f"{text[:80]!r} must be {ALL}, or names with commas between them.")
    return names


def read_by(read: Callable[[Any], T]) -> Callable[..., T | None]:
    """Return a click callback that parses an argument with `read`, if it is given."""

    def judge(_: click.Context, __: click.Parameter, given: Any) -> T | None:
        try:
            return None if given is None else read(given)
        except (BodyError, UrlError) as error:
            raise click.BadParameter(str(error)) from error

    return judge


def reference(_: click.Context, __: click.Parameter, text: str | None) -> Reference | None:
    try:
        return None if text is None else parse_reference(text)
    except ValueError as error:
        raise click.BadParameter(str(error)) from error


def grid(
    cpus: Sequence[int], batch_sizes: Sequence[int], start: str | None
) -> list[tuple[int, int | None]]:
    """Return the sizes to measure: all that --start can create."""
    sizes = list(product(dict.fromkeys(cpus), dict.fromkeys(batch_sizes) or (None,)))
    for values, word in ((cpus, _MILLICORES), (batch_sizes, _BATCH)):
        if len(values) > 1 and word not in (start or ""):
            raise click.UsageError(f"Several sizes take a --start command with {word} in it.")
    return sizes


def filled(start: str | None, cpu: int, batch_size: int | None) -> str | None:
    if start is None:
        return None
    with_cpu = start.replace(_MILLICORES, str(cpu))
    return with_cpu if batch_size is None else with_cpu.replace(_BATCH, str(batch_size))


def goals(slos_ms: Sequence[int], percentile: float, epsilon: float | None) -> tuple[Goal, ...]:
    share = 1 - percentile / 100 if epsilon is None else epsilon
    try:
        return tuple(
            Goal(slo_s=ms / 1000, percentile=percentile, epsilon=round(share, 9))
            for ms in dict.fromkeys(slos_ms)
        )
    except ValueError as error:
        raise click.BadParameter(f"{error}.", param_hint="--epsilon") from error


def writable(path: Path) -> Path:
    try:
        check_writable(path)
    except ProfileFileError as error:
        raise click.UsageError(str(error)) from error
    return path
