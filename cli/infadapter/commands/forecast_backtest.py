"""`infadapter forecast backtest`: what each method would have said of a trace, and how wrong."""

import json
from collections.abc import Callable
from dataclasses import asdict, dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Any, TypeVar

import click

from infadapter.calendars import calendar_of, calendar_options
from infadapter.histories import Source, history_options, rates_of, source_of
from infadapter.options import number_between
from infadapter.traces import Command, with_options
from infadapter_forecasting import (
    BUCKET_S,
    Backtest,
    Exponential,
    Forecaster,
    HoltWinters,
    InvalidWeights,
    LastMaximum,
    PublishedLstm,
    QuantileNetwork,
    Question,
    ScaledLstm,
    SeasonalNaive,
    local_time,
    table,
)
from infadapter_forecasting import backtest as look_back
from infadapter_forecasting.quantile_network import DEFAULT
from infadapter_operator.domain.service import Calendar, Season
from infadapter_operator.planning.forecast import SEASONS_S

KNOWN_S = {Season.DAY: 2 * 86_400, Season.WEEK: 8 * 86_400}
"""Seconds before the part that methods have seen: a day more, so that a season has its errors."""

WARM_UP_S = 600
"""Of the part itself, where there is nothing before it."""

MOST_QUANTILES = 20

Read = TypeVar("Read")


def calendar(command: Command) -> Command:
    return with_options(command, calendar_options())


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    horizon_s: int
    bucket_s: int
    quantiles: tuple[float, ...]
    network: Path
    season: str
    time_zone: str
    published_lstm: Path | None
    scaled_lstm: Path | None


def quantiles_of(text: str) -> tuple[float, ...]:
    """Numbers with commas, each once, in order."""
    number = number_between(0.01, 0.999)
    found = tuple(sorted({number(part.strip()) for part in text.split(",")}))
    if len(found) > MOST_QUANTILES:
        raise click.BadParameter(f"{len(found)} are too many: give {MOST_QUANTILES}.")
    return found


@click.command("backtest", context_settings={"max_content_width": 100})
@history_options
@click.option(
    "--horizon-seconds",
    "horizon_s",
    type=click.IntRange(1, 3600),
    metavar="NUMBER",
    default=60,
    show_default=True,
    help="How far ahead the highest load is forecast.",
)
@click.option(
    "--bucket-seconds",
    "bucket_s",
    type=click.IntRange(1, 300),
    metavar="NUMBER",
    default=BUCKET_S,
    show_default=True,
    help="What rates are means over.",
)
@click.option(
    "--quantiles",
    type=quantiles_of,
    metavar="NUMBER,…",
    default="0.5,0.9,0.95",
    show_default=True,
    help="The share of the outcomes that should lie below the forecast.",
)
@click.option(
    "--network",
    type=Path,
    default=DEFAULT,
    metavar="FILE",
    help="Of `forecast train`.  [default: the shipped one]",
)
@click.option(
    "--published-lstm", type=Path, metavar="FILE", help="InfAdapter's own, of `forecast train`."
)
@click.option("--scaled-lstm", type=Path, metavar="FILE", help="The same, for a load of any size.")
@calendar
@click.option("--format", type=click.Choice(["table", "json"]), default="table", show_default=True)
def backtest(format: str, **options: Any) -> None:
    """Ask each method at every fifth second of a trace for the highest load ahead.

    Printed are the pinball loss (lower is better), the coverage, and by how much and for how long
    forecasts were too low. Methods are shown calibrated on their own recent errors and as they are;
    a single number is then taken times 1.1, as InfAdapter's authors do. What is before --from,
    eight days at most, they have seen; without it, the first ten minutes.

    \b
    Examples:
      infadapter forecast backtest --trace requests.csv --horizon-seconds 30
      infadapter forecast backtest --trace synthetic:diurnal:1 --quantiles 0.95 --format json
    """
    source = source_of(options)
    result = _looked_back(source, Asked(**options))
    click.echo(json.dumps(asdict(result), indent=2) if format == "json" else table(result))


def _looked_back(source: Source, asked: Asked) -> Backtest:
    methods = _methods(asked)
    rates, before_s, began_s = rates_of(source, KNOWN_S[Season(asked.season)])
    told = calendar_of(asked.season, asked.time_zone, began_s)
    methods.append(_seasonal(told, len(rates), asked.bucket_s))
    question = Question(
        horizon_s=asked.horizon_s, bucket_s=asked.bucket_s, warm_up_s=before_s or WARM_UP_S
    )
    click.echo(f"Asking {len(methods)} methods about {len(rates):,} s of load", err=True)
    result = look_back(rates, methods, question=question, quantiles=asked.quantiles)
    if not result.origins:
        raise click.UsageError(
            f"This part is too short: give {question.warm_up_s + asked.horizon_s} s or more, "
            "the first of them to learn from."
        )
    return result


def _methods(asked: Asked) -> list[Forecaster]:
    bucket_s = asked.bucket_s
    found: list[Forecaster] = [
        _read(lambda path: QuantileNetwork.read(path, bucket_s=bucket_s), asked.network),
        LastMaximum(bucket_s=bucket_s),
        Exponential(),
    ]
    if find_spec("statsmodels"):
        found.append(HoltWinters(bucket_s=bucket_s))
    if asked.published_lstm:
        found.append(_read(PublishedLstm.read, asked.published_lstm))
    if asked.scaled_lstm:
        found.append(_read(ScaledLstm.read, asked.scaled_lstm))
    return found


def _seasonal(told: Calendar, seconds: int, bucket_s: int) -> SeasonalNaive:
    begin_s = int(told.began_s)
    return SeasonalNaive(
        bucket_s=bucket_s,
        season_s=SEASONS_S[told.season],
        clocks=local_time(told.zone, begin_s - 86_400, begin_s + seconds + 86_400),
        begin_s=begin_s,
    )


def _read(read: Callable[[Path], Read], path: Path) -> Read:
    try:
        return read(path)
    except InvalidWeights as error:
        raise click.UsageError(f"{error}.") from error
