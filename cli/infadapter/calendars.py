"""Options for the seasons of a load, and the time zone in which they repeat."""

from collections.abc import Callable
from typing import Any

import click

from infadapter_forecasting import UnknownZone, local_time
from infadapter_operator.domain.service import Calendar, Season


def calendar_options() -> tuple[Callable[[Any], Any], ...]:
    return (
        click.option(
            "--season",
            type=click.Choice([str(each) for each in Season]),
            default=str(Season.WEEK),
            show_default=True,
            help="Period of the load, for SeasonalNaive; a day is used if no week is recorded.",
        ),
        click.option(
            "--time-zone",
            metavar="ZONE",
            default="UTC",
            show_default=True,
            help="Time zone of the season, such as Europe/Berlin.",
        ),
    )


def calendar_of(season: str, zone: str, began_s: int | None) -> Calendar:
    """Return the calendar; `began_s` is the time of second 0 since 1970, if known."""
    try:
        local_time(zone, 0, 0)
    except UnknownZone as error:
        raise click.UsageError(f"--time-zone {error}.") from error
    if began_s is None and zone != "UTC":
        raise click.UsageError(
            "--time-zone needs a trace that says when it began, and has no gaps left out: give one "
            "with dates, and --trace-gaps keep."
        )
    return Calendar(season=Season(season), zone=zone, began_s=float(began_s or 0))
