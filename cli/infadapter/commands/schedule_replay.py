"""`infadapter schedule replay`: arrivals against the scheduler, in virtual time."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import click

from infadapter.csv_files import BadFile
from infadapter.files import check_writable, replacing
from infadapter.options import number_between
from infadapter.progress import Progress
from infadapter.schedule_files import Row, read_arrivals, read_table, write_outcomes
from infadapter_scheduler import POLICIES, Arrival, BrokenRule, Model, Served, World, lognormal
from infadapter_scheduler import replay as replay_arrivals

MILLISECONDS = number_between(0, 1e6)
MOST_PAGES, MOST_EXECUTORS = 10**9, 10_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    table: Path
    arrivals: Path
    out: Path
    executors: int
    policy: str
    memory_pages: int | None
    buffer_ms: float | None
    lag_ms: float
    noise: float
    seed: int


@click.command("replay", context_settings={"max_content_width": 100})
@click.option("--table", type=Path, required=True, metavar="FILE", help="What models take: CSV.")
@click.option("--arrivals", type=Path, required=True, metavar="FILE", help="Requests: CSV.")
@click.option("--out", type=Path, required=True, metavar="FILE", help="What became of them: CSV.")
@click.option(
    "--executors",
    type=click.IntRange(1, MOST_EXECUTORS),
    metavar="NUMBER",
    default=1,
    show_default=True,
    help="Each runs one batch at a time.",
)
@click.option(
    "--policy", type=click.Choice(list(POLICIES)), default="infadapter", show_default=True
)
@click.option(
    "--memory-pages",
    type=click.IntRange(1, MOST_PAGES),
    metavar="NUMBER",
    help="Of 16 MiB, on each executor.  [default: all models are resident]",
)
@click.option(
    "--buffer-ms",
    type=MILLISECONDS,
    metavar="NUMBER",
    help="Kept free before each deadline.  [default: as the errors of estimates are measured]",
)
@click.option(
    "--lag-ms",
    type=MILLISECONDS,
    metavar="NUMBER",
    default="0",
    show_default=True,
    help="From the scheduler to an executor, and back.",
)
@click.option(
    "--noise",
    type=number_between(0, 5),
    metavar="LOGNORMAL_SIGMA",
    default="0",
    show_default=True,
    help="Of execution and load times around the table's.",
)
@click.option("--seed", type=click.IntRange(0), metavar="NUMBER", default=0, show_default=True)
def replay(**options: Any) -> None:
    """Replay arrivals at the scheduler and write what became of each.

    \b
    --table     model,weights_mb,load_ms,b1_ms,b2_ms,b4_ms,b8_ms,b16_ms
                milliseconds by batch size; blank where a size is not served
    --arrivals  arrival_s,model,slo_ms
    --out       arrival_s,model,decided_s,outcome,executor,batch,start_s,end_s,cold
                a row for each arrival, in its order; outcome is on_time, late, refused, or
                cancelled (accepted, then given up); cold: its weights were not there

    \b
    Policies: infadapter  decides when a request arrives, and keeps its word
              clockwork   as its authors released it: a timer cancels what waited too long
              fifo, fifo-batching, edf, aimd (Clipper's batching)  without admission

    \b
    Examples:
      infadapter schedule replay --table models.csv --arrivals requests.csv --out answers.csv
      infadapter schedule replay --table models.csv --arrivals requests.csv --out answers.csv \\
          --executors 6 --memory-pages 1376 --noise 0.05 --policy clockwork
    """
    asked = Asked(**options)
    check_writable(asked.out)
    models, rows = _read(asked)
    arrivals = sorted((row.arrival for row in rows), key=lambda arrival: arrival.arrival_s)
    fates = _replayed(asked, models, arrivals)
    with replacing(asked.out) as path:
        write_outcomes(path, rows, fates)
    click.echo(summary(arrivals, fates))


def _read(asked: Asked) -> tuple[dict[str, Model], list[Row]]:
    try:
        models = read_table(asked.table)
        return models, read_arrivals(asked.arrivals, models)
    except BadFile as error:
        raise click.UsageError(str(error)) from error


def _replayed(
    asked: Asked, models: dict[str, Model], arrivals: Sequence[Arrival]
) -> Sequence[Served]:
    buffer_s = None if asked.buffer_ms is None else asked.buffer_ms / 1000
    lag_s = asked.lag_ms / 1000
    policy = POLICIES[asked.policy](list(models.values()), buffer_s, lag_s)
    world = World(
        models,
        asked.executors,
        asked.memory_pages,
        lag_s,
        lognormal(asked.noise),
        asked.seed,
    )
    try:
        return replay_arrivals(policy, arrivals, world, Progress(what="arrivals"))
    except BrokenRule as error:
        raise click.ClickException(f"{asked.policy} broke a rule: {error}.") from error


def summary(arrivals: Sequence[Arrival], fates: Sequence[Served]) -> str:
    """Counts, and how long the refused waited for it."""
    outcomes = Counter(fate.outcome for fate in fates)
    total = max(1, len(fates))
    shares = ", ".join(
        f"{name.replace('_', ' ')} {outcomes[name]:,} ({100 * outcomes[name] / total:.2f} %)"
        for name in ("on_time", "late", "refused", "cancelled")
    )
    ages_s = sorted(
        fate.decided_s - arrival.arrival_s
        for arrival, fate in zip(arrivals, fates, strict=True)
        if fate.outcome == "refused"
    )
    age = f"; refusals' age p99 {1000 * ages_s[int(0.99 * len(ages_s))]:.2f} ms" if ages_s else ""
    return f"{len(fates):,} arrivals: {shares}{age}"
