"""
Ours beside every policy on every trace, as Markdown: python -m benchmarks.policies --traces FOLDER

Results go to a file as they are found, each with a digest of the sources that it depends on: Ctrl-C
loses only what is under way, and a change of our loop leaves the others' results as they are.
`--report` prints the tables from that file alone.
"""

import time
from pathlib import Path

import click

from benchmarks.policies.cache import Cache
from benchmarks.policies.cases import CASES, DAYS, HOURS, PUBLISHED, UNSEEN
from benchmarks.policies.runs import Runs
from benchmarks.policies.tables import report
from infadapter.progress import in_one_sentence


@click.command()
@click.option(
    "--traces",
    type=click.Path(exists=True, file_okay=False, path_type=Path),
    help="The folder with twitter2021, autothrottle and azure_llm_2023.",
)
@click.option("--only", metavar="NAME,…", help=f"Of {', '.join(CASES)}.")
@click.option("--seeds", type=click.IntRange(1, 100), default=10, show_default=True)
@click.option("--rival-seeds", type=click.IntRange(1, 100), default=2, show_default=True)
@click.option("--days", is_flag=True, help="The fortnight as well, day by day, on one seed.")
@click.option(
    "--cache",
    "path",
    type=click.Path(dir_okay=False, path_type=Path),
    default="policies.jsonl",
    show_default=True,
)
@click.option("--report", "only_report", is_flag=True, help="Run nothing.")
def main(
    traces: Path | None,
    only: str | None,
    seeds: int,
    rival_seeds: int,
    days: bool,
    path: Path,
    only_report: bool,
) -> None:
    """Ours beside every policy on every trace."""
    names = only.split(",") if only else [*HOURS, *PUBLISHED, *UNSEEN, *(DAYS if days else ())]
    unknown = [name for name in names if name not in CASES]
    if unknown:
        raise click.UsageError(f"There is no {unknown[0]!r}: choose {', '.join(CASES)}.")
    if not only_report and traces is None:
        raise click.UsageError("Say where the --traces are, or ask for a --report.")
    cache = Cache(path)
    cache.read()
    if traces is not None and not only_report:
        _run(names, traces, cache, seeds, rival_seeds)
    click.echo(report(cache))


def _run(names: list[str], traces: Path, cache: Cache, seeds: int, rival_seeds: int) -> None:
    for name in names:
        began_s = time.monotonic()
        with in_one_sentence():
            case = CASES[name]
            Runs(case, case.read(traces), cache).do(seeds, rival_seeds)
        click.echo(f"{name}: {time.monotonic() - began_s:.0f} s", err=True)


if __name__ == "__main__":
    main()
