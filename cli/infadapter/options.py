"""Parsers of command-line arguments; each refuses invalid values with one sentence."""

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass

import click

from infadapter_profiles.quantities import (
    RESOURCE_NAMES,
    InvalidQuantity,
    cpu_millicores,
    is_resource_name,
    parse_amounts,
)
from infadapter_solver import CPU, Resources

MOST_PODS = 1000


@dataclass(frozen=True, slots=True)
class Running:
    """Running pods of one variant."""

    variant: str
    cpu_millicores: int  # of each
    pods: int


def number_between(least: float, most: float) -> Callable[[str], float]:
    """Return a parser of numbers within limits, without NaN and infinity."""

    def number(text: str) -> float:
        value = _float(text)
        if not least <= value <= most:
            raise click.BadParameter(f"{text!r} is no number from {least:g} to {most:g}.")
        return value

    return number


def budget(text: str) -> Resources:
    """Parse `20` (cores) or `cpu=20,nvidia.com/gpu=2`."""
    try:
        return parse_amounts(_of_resources(text if "=" in text else f"{CPU}={text}"))
    except InvalidQuantity as error:
        raise click.BadParameter(f"{error}.") from error


def prices(text: str) -> Mapping[str, float]:
    """Parse `nvidia.com/gpu=12`, or several separated by commas."""
    price = number_between(0, 1e9)
    return {name: price(value) for name, value in _of_resources(text).items()}


def running(text: str) -> tuple[Running, ...]:
    """Parse `resnet50=8` (one pod of 8 cores) or `resnet50=3x2` (three pods of 2 cores)."""
    found = [_running(name, value) for name, value in _pairs(text).items()]
    return tuple(pods for pods in found if pods.pods and pods.cpu_millicores)


def _running(variant: str, text: str) -> Running:
    pods, times, cores = text.rpartition("x")
    if times and not (pods.isdecimal() and len(pods) < 5 and int(pods) <= MOST_PODS):
        raise click.BadParameter(f"{text!r} is not CORES or PODSxCORES, up to {MOST_PODS} pods.")
    try:
        return Running(variant, cpu_millicores(cores), int(pods) if times else 1)
    except InvalidQuantity as error:
        raise click.BadParameter(f"{error}.") from error


def _of_resources(text: str) -> dict[str, str]:
    found = _pairs(text)
    for name in found:
        if not is_resource_name(name):
            raise click.BadParameter(f"may name {RESOURCE_NAMES} only, not {name}.")
    return found


def _pairs(text: str) -> dict[str, str]:
    found: dict[str, str] = {}
    for part in text.split(","):
        name, equals, value = (piece.strip() for piece in part.partition("="))
        if not (name and equals and value):
            raise click.BadParameter(f"{part!r} is not NAME=VALUE.")
        if name in found:
            raise click.BadParameter(f"{name} is given twice.")
        found[name] = value
    return found


def _float(text: str) -> float:
    try:
        return float(text)
    except ValueError:
        return math.nan
