"""
What each part of the control is worth: python -m benchmarks.ablation --traces FOLDER

Our loop as it is, and with each of its parts taken back or replaced, on the traces of
`benchmarks.policies`. Regret is against the best schedules in the file that that one leaves;
without them there is none. Results go to the same file, so that Ctrl-C loses only what is under
way.
"""

import time
from collections.abc import Sequence
from pathlib import Path

import click

from benchmarks.ablation.changes import CHANGES
from benchmarks.ablation.runs import Found, found_of
from benchmarks.ablation.tables import table
from benchmarks.policies.cache import Cache
from benchmarks.policies.cases import HOURS
from benchmarks.policies.runs import FIRST_SEED
from infadapter.progress import in_one_sentence


@click.command()
@click.option(
    "--traces",
    required=True,
    type=click.Path(exists=True, file_okay=False, path_type=Path),
    help="The folder with twitter2021, autothrottle and azure_llm_2023.",
)
@click.option("--only", metavar="NAME,…", help=f"Of {', '.join(HOURS)}.")
@click.option("--changes", metavar="NAME,…", help=f"Of {', '.join(CHANGES)}.")
@click.option("--seeds", type=click.IntRange(1, 100), default=1, show_default=True)
@click.option(
    "--cache",
    "path",
    type=click.Path(dir_okay=False, path_type=Path),
    default="policies.jsonl",
    show_default=True,
)
def main(traces: Path, only: str | None, changes: str | None, seeds: int, path: Path) -> None:
    """Each part of the control taken back, one by one."""
    cases = _chosen(only, HOURS)
    changed = _chosen(changes, tuple(CHANGES))
    cache = Cache(path)
    cache.read()
    found: dict[str, dict[str, list[Found]]] = {name: {} for name in changed}
    for case in cases:
        began_s = time.monotonic()
        with in_one_sentence():
            runs = found_of(case, changed, traces, cache, range(FIRST_SEED, FIRST_SEED + seeds))
        for name, own in runs.items():
            found[name][case] = own
        click.echo(f"{case}: {time.monotonic() - began_s:.0f} s", err=True)
    click.echo(table(found, seeds))


def _chosen(text: str | None, known: Sequence[str]) -> Sequence[str]:
    names = text.split(",") if text else known
    for name in names:
        if name not in known:
            raise click.UsageError(f"There is no {name!r}: choose {', '.join(known)}.")
    return names


if __name__ == "__main__":
    main()
