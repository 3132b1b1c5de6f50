"""`infadapter reproduce sushi`: SUSHI on simulated accelerators, and its like on this CPU."""

from collections.abc import Mapping
from pathlib import Path

import click

from infadapter.commands import reproduce_options as options
from infadapter.progress import Progress
from infadapter_simulator.reproduction.result import Result, as_facts, as_text, draw
from infadapter_simulator.reproduction.sushi.asked import Asked
from infadapter_simulator.reproduction.sushi.experiments import EXPERIMENTS, Experiment

QUERIES, QUICK_QUERIES = 4000, 60


def _on_this_cpu(asked: Asked) -> Result:
    """Imported late: it needs torch."""
    try:
        from infadapter import subgraphs_on_cpu
    except ModuleNotFoundError as missing:
        raise click.ClickException(
            f"The experiment cpu needs {missing.name}, which is not installed: "
            "pip install 'infadapter[server]', or name another experiment."
        ) from missing
    return subgraphs_on_cpu.run(asked)


ALL: Mapping[str, Experiment] = {**EXPERIMENTS, "cpu": _on_this_cpu}


@click.command("sushi", context_settings={"max_content_width": 100})
@click.option(
    "--experiment", type=click.Choice(list(ALL)), multiple=True, help="[default: all of them]"
)
@options.quick
@click.option(
    "--queries",
    type=click.IntRange(1, 1_000_000),
    metavar="NUMBER",
    help=f"In each stream.  [default: {QUERIES:,}]",
)
@options.seed
@options.output
@options.as_format
def sushi(
    experiment: tuple[str, ...],
    quick: bool,
    queries: int | None,
    seed: int,
    output: Path,
    format: str,
) -> None:
    """SUSHI (MLSys'23): which SubNet serves a query, and which SubGraph's weights are cached.

    \b
    published    the simulated machines beside the authors' figures, and why they differ
    resnet50     simulated: OFA-ResNet50 on a ZCU104, by its calibration without a cache
    mobilenetv3  simulated: OFA-MobileNetV3 on a roofline
                 both: every system on streams of queries of varying locality
    every        simulated, like the next ones: the cache changes after so many queries
    candidates   how many SubGraphs to choose from, and what a look-up takes
    buffer, bandwidth, compute
    cpu          measured here with PyTorch: packed copies of shared weights, refills included

    Figures are printed beside those of no cache, a static cache, a scheduler that ignores the
    cache and an oracle, and drawn.

    \b
    Examples:
      infadapter reproduce sushi --quick
      infadapter reproduce sushi --experiment buffer --experiment cpu --queries 1000
    """
    number = queries or (QUICK_QUERIES if quick else QUERIES)
    results, pictures = [], []
    for name in experiment or ALL:
        result = ALL[name](Asked(number, Progress(what=f"parts of {name}"), seed))
        results.append(result)
        pictures.append(draw(result, output, "sushi"))
    facts = list(map(as_facts, results))
    options.say(lambda: "\n\n\n".join(map(as_text, results)), facts, format, pictures)
