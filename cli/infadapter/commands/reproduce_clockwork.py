"""`infadapter reproduce clockwork`: Clockwork's evaluation again, section by section."""

from collections.abc import Mapping
from pathlib import Path

import click

from infadapter import concurrency
from infadapter.commands import reproduce_options as options
from infadapter.csv_files import BadFile
from infadapter.options import number_between
from infadapter.progress import Progress
from infadapter.schedule_files import read_table
from infadapter_scheduler import Model
from infadapter_simulator.reproduction.clockwork.asked import Asked
from infadapter_simulator.reproduction.clockwork.experiments import EXPERIMENTS
from infadapter_simulator.reproduction.experiment import Experiment
from infadapter_simulator.reproduction.result import as_facts, as_text, draw

ALL: Mapping[str, Experiment[Asked]] = {"2": Experiment(concurrency.run, 0.1, 1.0), **EXPERIMENTS}


@click.command("clockwork", context_settings={"max_content_width": 100})
@click.option(
    "--experiment",
    type=click.Choice(list(ALL)),
    required=True,
    help="The paper's section.",
)
@options.quick
@click.option(
    "--minutes",
    type=number_between(0.01, 10_000),
    metavar="NUMBER",
    help="Of virtual time, for each run (of real time in section 2).  [default: by section]",
)
@click.option(
    "--table",
    type=Path,
    metavar="FILE",
    help="Networks of section 6.5, as `schedule replay` reads them.  [default: 13 published rows]",
)
@options.seed
@options.output
@options.as_format
def clockwork(
    experiment: str,
    quick: bool,
    minutes: float | None,
    table: Path | None,
    seed: int,
    output: Path,
    format: str,
) -> None:
    """Clockwork (OSDI'20): its evaluation in virtual time, with its networks, SLOs and rates.

    \b
    2    one inference at a time against several, measured here with PyTorch
    6.1  15 models and closed-loop clients, beside Clipper's batching and the released scheduler
    6.2  thousands of models on one GPU that holds 201
    6.3  how low SLOs can be
    6.4  isolation from batch tenants
    6.5  a trace in the shape of Azure's: 4,026 models on six GPUs
    6.6  10 to 150 emulated workers: the scheduler's CPU, and where it saturates in real time

    Figures are printed beside the published ones, where those are numbers, and drawn.

    \b
    Examples:
      infadapter reproduce clockwork --experiment 6.3 --quick
      infadapter reproduce clockwork --experiment 6.5 --minutes 20 --table models.csv
    """
    chosen = ALL[experiment]
    asked = Asked(
        chosen.lasts(minutes, quick=quick),
        Progress(what="seconds"),
        tuple(_table(table).values()),
        seed,
    )
    result = chosen.run(asked)
    path = draw(result, output, "clockwork")
    options.say(lambda: f"§{experiment} {as_text(result)}", as_facts(result), format, [path])


def _table(path: Path | None) -> dict[str, Model]:
    try:
        return {} if path is None else read_table(path)
    except BadFile as error:
        raise click.UsageError(str(error)) from error
