"""`infadapter reproduce superserve`: SuperServe's evaluation again, in virtual time."""

from pathlib import Path

import click

from infadapter.commands import reproduce_options as options
from infadapter.options import number_between
from infadapter.progress import Progress, in_one_sentence
from infadapter.traces import say_trace
from infadapter_simulator.reproduction.result import as_facts, as_text, draw
from infadapter_simulator.reproduction.superserve.asked import Asked
from infadapter_simulator.reproduction.superserve.experiments import EXPERIMENTS
from infadapter_workload.reading import read_trace


@click.command("superserve", context_settings={"max_content_width": 100})
@click.option(
    "--experiment", type=click.Choice(list(EXPERIMENTS)), required=True, help="Which workload."
)
@options.quick
@click.option(
    "--minutes",
    type=number_between(0.001, 10_000),
    metavar="NUMBER",
    help="Of virtual time, for each workload.  [default: by experiment]",
)
@click.option(
    "--trace",
    type=Path,
    metavar="FILE",
    help="Of experiment `trace`: requests per second; its shape is kept.",
)
@options.seed
@options.output
@options.as_format
def superserve(
    experiment: str,
    quick: bool,
    minutes: float | None,
    trace: Path | None,
    seed: int,
    output: Path,
    format: str,
) -> None:
    """SuperServe (NSDI'25): one SuperNet of many operating points, under bursts, in virtual time.

    \b
    bursty        a steady part and a bursty one, three rates and three variations
    time-varying  a rate that rises, to three rates at three speeds
    trace         a trace of your own, its highest second near what the smallest SubNet can serve
    switching     what a delay of 1, 10 or 100 ms at each change of the SubNet would cost
    faults        workers that are killed one by one

    SlackFit, MaxBatch, MaxAcc, the lowest accuracy and fixed SubNets beside our policy, behind
    admission and as published. Printed beside the published figures, and drawn.

    \b
    Examples:
      infadapter reproduce superserve --experiment bursty --quick
      infadapter reproduce superserve --experiment trace --trace day15.csv
    """
    chosen = EXPERIMENTS[experiment]
    rates = _rates(experiment, trace)
    asked = Asked(chosen.lasts(minutes, quick=quick), Progress(what="workloads"), rates, seed)
    result = chosen.run(asked)
    path = draw(result, output, "superserve")
    options.say(lambda: as_text(result), as_facts(result), format, [path])


def _rates(experiment: str, path: Path | None) -> list[float]:
    """Of the trace, which one experiment takes and needs."""
    if (experiment == "trace") != (path is not None):
        raise click.UsageError(
            "Experiment `trace` needs --trace, a file of requests per second; the others take none."
        )
    if path is None:
        return []
    with in_one_sentence():
        trace = read_trace(path)
        say_trace(trace)
        return [float(rate) for rate in trace.rates]
