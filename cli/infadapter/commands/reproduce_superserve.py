"""`infadapter reproduce superserve`: SuperServe's evaluation again, in virtual time."""

import json
from pathlib import Path

import click

from infadapter.options import number_between
from infadapter.progress import Progress, in_one_sentence
from infadapter.traces import say_trace
from infadapter_simulator.reproduction.clockwork.result import as_facts, as_text, draw
from infadapter_simulator.reproduction.superserve.asked import Asked
from infadapter_simulator.reproduction.superserve.experiments import EXPERIMENTS
from infadapter_workload.reading import read_trace

FOLDER = Path("reproduction")


@click.command("superserve", context_settings={"max_content_width": 100})
@click.option(
    "--experiment", type=click.Choice(list(EXPERIMENTS)), required=True, help="Which workload."
)
@click.option("--quick", is_flag=True, help="A few seconds' work: how it looks, not what it is.")
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
@click.option("--seed", type=click.IntRange(0), metavar="NUMBER", default=1, show_default=True)
@click.option(
    "--output",
    type=click.Path(file_okay=False, path_type=Path),
    metavar="FOLDER",
    default=FOLDER,
    show_default=True,
    help="Where the picture goes.",
)
@click.option("--format", type=click.Choice(["table", "json"]), default="table", show_default=True)
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
    if (experiment == "trace") != (trace is not None):
        raise click.UsageError(
            "Experiment `trace` needs --trace, a file of requests per second; the others take none."
        )
    by_default = chosen.quick_minutes if quick else chosen.minutes
    asked = Asked(
        by_default if minutes is None else float(minutes),
        Progress(what="workloads"),
        _rates(trace),
        seed,
    )
    result = chosen.run(asked)
    path = draw(result, output, "superserve")
    facts = json.dumps(as_facts(result), indent=2, ensure_ascii=False)
    click.echo(facts if format == "json" else as_text(result))
    click.echo(f"The picture is {path}", err=True)


def _rates(path: Path | None) -> list[float]:
    if path is None:
        return []
    with in_one_sentence():
        trace = read_trace(path)
        say_trace(trace)
        return [float(rate) for rate in trace.rates]
