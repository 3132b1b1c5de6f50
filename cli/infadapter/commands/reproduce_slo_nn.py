"""`infadapter reproduce slo-nn`: SLO-aware networks, measured on this machine."""

from collections.abc import Callable, Mapping
from pathlib import Path

import click

from infadapter.commands import reproduce_options as options
from infadapter.options import number_between
from infadapter.progress import Progress
from infadapter.slo_aware import frontier, interference, targets
from infadapter.slo_aware.asked import Asked
from infadapter_server.networks.sloaware.prepare import RECIPES
from infadapter_server.networks.sloaware.store import CACHE, BadNetworkFile
from infadapter_simulator.reproduction.result import Result, as_facts, as_text, draw

SAMPLES, QUICK_SAMPLES = 20_000, 1_000
SECONDS, QUICK_SECONDS = 60.0, 6.0
QUICK_LABELS = min(RECIPES)
EXPERIMENTS: Mapping[str, tuple[Callable[[Asked], Result], int]] = {
    "mlp": (frontier.hidden, 50_000),
    "labels": (frontier.labels, 50_000),
    "targets": (targets.run, 50_000),
    "interference": (interference.run, 205_000),
}


@click.command("slo-nn", context_settings={"max_content_width": 100})
@click.option("--experiment", type=click.Choice(list(EXPERIMENTS)), required=True)
@options.quick
@click.option(
    "--labels",
    type=click.Choice([str(labels) for labels in RECIPES if labels > QUICK_LABELS]),
    help="Of the network with many labels.  [default: 50000; interference: 205000]",
)
@click.option(
    "--samples",
    type=click.IntRange(100, 200_000),
    metavar="NUMBER",
    help=f"Fresh inputs that accuracy is measured on.  [default: {SAMPLES}]",
)
@click.option(
    "--seconds",
    type=number_between(1, 3600),
    metavar="NUMBER",
    help=f"Of each run beside co-runners.  [default: {SECONDS:.0f}]",
)
@click.option(
    "--cache",
    type=click.Path(file_okay=False, path_type=Path),
    metavar="FOLDER",
    default=CACHE,
    help=f"Where networks are kept that were made.  [default: {CACHE}]",
)
@options.seed
@options.output
@options.as_format
def slo_nn(
    experiment: str,
    quick: bool,
    labels: str | None,
    samples: int | None,
    seconds: float | None,
    cache: Path,
    seed: int,
    output: Path,
    format: str,
) -> None:
    """SLO-aware networks (arXiv 2204.08400): what leaving nodes out gains, and what it loses.

    \b
    mlp           a wide hidden layer, of which an input's nodes are computed
    labels        an output layer of 10,000 to 205,000 labels
    targets       one model, five accuracies that are asked for, another with each query (ACLO)
    interference  co-runners on the same core, on and off every five seconds (LCAO)

    Networks are trained here on generated data, the first time: minutes to half an hour. Ctrl-C
    loses 250 batches of a network with many labels; the same command goes on from there.

    \b
    Examples:
      infadapter reproduce slo-nn --experiment labels --quick
      infadapter reproduce slo-nn --experiment labels --labels 205000
    """
    run, by_default = EXPERIMENTS[experiment]
    asked = Asked(
        cache=cache.expanduser() / ("quick" if quick else ""),
        tell=Progress(what="steps"),
        labels=QUICK_LABELS if quick else int(labels or by_default),
        samples=samples or (QUICK_SAMPLES if quick else SAMPLES),
        seconds=float(seconds or (QUICK_SECONDS if quick else SECONDS)),
        quick=quick,
        seed=seed,
    )
    result = _measured(run, asked)
    options.say(lambda: as_text(result), as_facts(result), format, [draw(result, output, "slo-nn")])


def _measured(run: Callable[[Asked], Result], asked: Asked) -> Result:
    try:
        return run(asked)
    except BadNetworkFile as error:
        raise click.UsageError(f"{error}.") from error
