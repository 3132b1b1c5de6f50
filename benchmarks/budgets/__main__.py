"""
Ours without surge, with a quarter and with all of the budget beside others within it, as Markdown.

Results go to the cache as they are found, each with a digest of the sources that made it: Ctrl-C
loses only what is under way.
"""

from collections import defaultdict
from pathlib import Path
from statistics import fmean

import click

from benchmarks.budgets.runs import STATIC_SAFEST, SURGES, WORST_HOUR, Asked, found_of
from benchmarks.budgets.traces import TRACES
from benchmarks.policies.cache import Cache, Record
from infadapter.progress import in_one_sentence
from infadapter_simulator.compare.naming import OURS, STATIC_BEST

OTHERS = [STATIC_SAFEST, STATIC_BEST, "ms-plus", "vpa-resnet50"]
OTHERS += [f"{kind}-{variant}" for kind in ("hpa", "kpa") for variant in ("resnet18", "resnet50")]
HEAD = ["trace", "cores", "policy", "violations, %", "worst hour, %", "objective", "mean cores"]
HEAD += ["most held", "core-s above"]


@click.command()
@click.option("--traces", "folder", type=click.Path(exists=True, path_type=Path))
@click.option("--only", default=",".join(TRACES), show_default=True, metavar="NAME,…")
@click.option("--budgets", default="6,8,12,20", show_default=True, metavar="CORES,…")
@click.option("--seeds", type=click.IntRange(1, 100), default=5, show_default=True)
@click.option("--rivals/--no-rivals", default=True, show_default=True)
@click.option(
    "--cache", "path", type=click.Path(dir_okay=False, path_type=Path), default="budgets.jsonl"
)
def main(
    folder: Path | None, only: str, budgets: str, seeds: int, rivals: bool, path: Path
) -> None:
    """How the SLO is kept where the budget is a quota."""
    cache = Cache(path)
    cache.read()
    cores = [int(each) for each in budgets.split(",")]
    click.echo("| " + " | ".join(HEAD) + " |\n" + "|---" * len(HEAD) + "|")
    for trace in only.split(","):
        asked = _asked(trace, cores, seeds, OTHERS if rivals else [STATIC_SAFEST])
        with in_one_sentence():
            found = found_of(trace, asked, folder, cache)
        for line in _table(found):
            click.echo(line)


def _asked(trace: str, budgets: list[int], seeds: int, others: list[str]) -> list[Asked]:
    who = [(OURS, surge, seeds) for surge in SURGES] + [(name, 0.0, 1) for name in others]
    return [
        Asked(trace=trace, budget=budget, surge=surge, policy=policy, seed=seed)
        for budget in budgets
        for policy, surge, count in who
        for seed in range(1, count + 1)
    ]


def _table(found: dict[Asked, Record]) -> list[str]:
    alike: dict[tuple[str, int, str], list[Record]] = defaultdict(list)
    for one, record in found.items():
        name = f"ours, surge {one.surge:.0%}" if one.policy == OURS else one.policy
        alike[one.trace, one.budget, name].append(record)
    return [_line(trace, budget, name, each) for (trace, budget, name), each in alike.items()]


def _line(trace: str, budget: int, name: str, records: list[Record]) -> str:
    first = records[0]
    chosen = f" ({first.candidate})" if first.candidate not in (first.key.policy, OURS) else ""
    cells = (
        *(trace, str(budget), f"{name}{chosen}"),
        f"{100 * fmean(each.measures.violations for each in records):.2f}",
        f"{100 * max(each.values[WORST_HOUR] or 0.0 for each in records):.2f}",
        f"{fmean(each.measures.objective for each in records):.4f}",
        f"{fmean(each.measures.mean_cores for each in records):.2f}",
        f"{max(each.measures.peak_cores_held for each in records):.1f}",
        f"{fmean(each.measures.core_seconds_over_budget for each in records):.0f}",
    )
    return "| " + " | ".join(cells) + " |"


if __name__ == "__main__":
    main()
