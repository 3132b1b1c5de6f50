"""
Ours without surge, with a quarter and with all of the budget beside others within it, as Markdown.

Results go to a file as they are found, and what the file has is not run again.
"""

import json
from collections import defaultdict
from dataclasses import asdict
from pathlib import Path
from statistics import fmean

import click

from benchmarks.budgets.runs import STATIC_SAFEST, SURGES, Asked, Row, find
from benchmarks.budgets.traces import TRACES
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
    "--cache", type=click.Path(dir_okay=False, path_type=Path), default=Path("budgets.jsonl")
)
def main(
    folder: Path | None, only: str, budgets: str, seeds: int, rivals: bool, cache: Path
) -> None:
    """How the SLO is kept where the budget is a quota."""
    cores = [int(each) for each in budgets.split(",")]
    click.echo("| " + " | ".join(HEAD) + " |\n" + "|---" * len(HEAD) + "|")
    for trace in only.split(","):
        asked = _asked(trace, cores, seeds, OTHERS if rivals else [STATIC_SAFEST])
        with in_one_sentence():
            rows = _found(trace, asked, folder, cache)
        for line in _table(rows):
            click.echo(line)


def _asked(trace: str, budgets: list[int], seeds: int, others: list[str]) -> list[Asked]:
    who = [(OURS, surge, seeds) for surge in SURGES] + [(name, 0.0, 1) for name in others]
    return [
        Asked(trace=trace, budget=budget, surge=surge, policy=policy, seed=seed)
        for budget in budgets
        for policy, surge, count in who
        for seed in range(1, count + 1)
    ]


def _found(trace: str, asked: list[Asked], folder: Path | None, cache: Path) -> dict[Asked, Row]:
    known = _read(cache)
    missing = [one for one in asked if one.key not in known]
    if missing:
        with cache.open("a", encoding="utf-8") as file:
            for one, row in zip(missing, find(trace, missing, folder), strict=True):
                known[one.key] = row
                file.write(json.dumps({"asked": one.key, "row": asdict(row)}) + "\n")
    return {one: known[one.key] for one in asked}


def _read(cache: Path) -> dict[str, Row]:
    lines = cache.read_text(encoding="utf-8").splitlines() if cache.exists() else []
    return {one["asked"]: Row(**one["row"]) for one in map(json.loads, lines)}


def _table(rows: dict[Asked, Row]) -> list[str]:
    alike: dict[tuple[str, int, str], list[Row]] = defaultdict(list)
    for one, row in rows.items():
        name = f"ours, surge {one.surge:.0%}" if one.policy == OURS else one.policy
        alike[one.trace, one.budget, name].append(row)
    return [_line(trace, budget, name, each) for (trace, budget, name), each in alike.items()]


def _line(trace: str, budget: int, name: str, rows: list[Row]) -> str:
    chosen = f" ({rows[0].chosen})" if rows[0].chosen not in ("", name) else ""
    cells = (
        *(trace, str(budget), f"{name}{chosen}"),
        f"{100 * fmean(row.violations for row in rows):.2f}",
        f"{100 * max(row.worst_hour for row in rows):.2f}",
        f"{fmean(row.objective for row in rows):.4f}",
        f"{fmean(row.mean_cores for row in rows):.2f}",
        f"{max(row.peak_cores for row in rows):.1f}",
        f"{fmean(row.core_seconds_over for row in rows):.0f}",
    )
    return "| " + " | ".join(cells) + " |"


if __name__ == "__main__":
    main()
