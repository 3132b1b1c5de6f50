"""`infadapter reproduce infadapter`: InfAdapter's evaluation again, on the authors' trace."""

from dataclasses import replace
from pathlib import Path

import click

from infadapter.commands import reproduce_options as options
from infadapter.profiles import read_preset
from infadapter.progress import Progress, in_one_sentence
from infadapter.scenarios import PAPER_MILLICORES, PERCENTILE
from infadapter.traces import say_trace
from infadapter_forecasting import InvalidWeights, PublishedLstm
from infadapter_simulator.part import Part
from infadapter_simulator.policies.papers.forecast import Forecaster, Learned, last_maximum
from infadapter_simulator.reproduction.report import as_facts, as_text, differences, draw
from infadapter_simulator.reproduction.reproduction import reproduce
from infadapter_simulator.scenario import Scenario, speeds_of, variants_of
from infadapter_workload.reading import read_trace

SLO_S = 0.75


@click.command("infadapter", context_settings={"max_content_width": 100})
@click.option(
    "--trace",
    type=Path,
    metavar="FILE",
    help="The 21 minutes of day 15 of the authors' Twitter trace, requests per second.",
)
@click.option(
    "--seeds",
    type=click.IntRange(1, 1000),
    metavar="NUMBER",
    default=10,
    show_default=True,
    help="How many, from 0 on: means and ranges.",
)
@click.option(
    "--lstm",
    type=Path,
    metavar="FILE.npz",
    help="Of `forecast train --method published-lstm`.  [default: last minute's highest second]",
)
@options.output
@options.as_format
def infadapter(
    trace: Path | None, seeds: int, lstm: Path | None, output: Path, format: str
) -> None:
    """InfAdapter (EuroMLSys'23): itself, MS+ and VPA+ on 21 bursty minutes and 20 cores.

    Printed are cores, accuracy loss and violations beside the published ones, and where they differ
    and why; cores, loss, P99 and violations over time are drawn. The trace isn't shipped.

    \b
    Examples:
      infadapter reproduce infadapter --trace day15.csv
      infadapter reproduce infadapter --trace day15.csv --lstm lstm.npz --output pictures
    """
    if trace is None:
        raise click.UsageError(
            "Give --trace: requests per second of the Twitter trace's day 15, seconds 4,920 to "
            "6,180 of the day, which isn't shipped."
        )
    forecaster = _forecaster(lstm)
    with in_one_sentence():
        rates = read_trace(trace)
        say_trace(rates)
        output.mkdir(parents=True, exist_ok=True)
        rows = reproduce(
            Part(trace=rates, from_s=0, to_s=rates.seconds),
            paper(),
            Progress(),
            forecaster=forecaster,
            seeds=range(seeds),
        )
    paths = draw(rows, output)
    options.say(lambda: f"{as_text(rows)}\n\n{differences(rows)}", as_facts(rows), format, paths)


def paper() -> Scenario:
    """Its five ResNets as they were measured, on two cores and more."""
    profiles = read_preset("paper-raw")
    variants = variants_of(profiles, SLO_S, PERCENTILE)
    large = (
        replace(
            v, allocations=tuple(a for a in v.allocations if a.cpu_millicores >= PAPER_MILLICORES)
        )
        for v in variants
    )
    return Scenario(
        variants=tuple(large),
        speeds=speeds_of(profiles, variants),
        slo_s=SLO_S,
        percentile=PERCENTILE,
        profiles={profile.variant: profile for profile in profiles},
    )


def _forecaster(lstm: Path | None) -> Forecaster:
    if lstm is None:
        return last_maximum
    try:
        return Learned(PublishedLstm.read(lstm))
    except InvalidWeights as error:
        raise click.UsageError(f"{error}.") from error
