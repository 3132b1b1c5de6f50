"""The accuracy floor: its option, and the note on variants below it."""

from collections.abc import Iterable

import click

from infadapter.options import number_between
from infadapter_solver import Profile, below_floor

floor_option = click.option(
    "--accuracy-floor",
    type=number_between(0, 1),
    metavar="NUMBER",
    default=0.0,
    show_default=True,
    help="Plan without variants and operating points that are less accurate.",
)


def check_floor(floor: float, profiles: Iterable[Profile]) -> None:
    best = max(profiles, key=lambda profile: profile.accuracy)
    if best.accuracy < floor:
        raise click.UsageError(
            f"No variant is as accurate as --accuracy-floor {floor:g}: the best is {best.variant} "
            f"with {best.accuracy:g}."
        )


def say_below_floor(floor: float, profiles: Iterable[Profile]) -> None:
    """Print which variants are left out of the results."""
    for profile in profiles:
        if why := below_floor(profile.accuracy, floor):
            click.echo(f"infadapter: left out: {profile.variant} {why}.", err=True)
