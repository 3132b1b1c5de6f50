"""
The demo several times, with other arrivals each time: does our loop beat the best single variant?

    python benchmarks/demo.py                                  the default burst, five times
    python benchmarks/demo.py --trace FILE --out demo-trace    the same on a recorded trace

A run takes about four minutes. One whose report is there already is not repeated, so Ctrl-C loses
only the one under way.
"""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import click

Json = dict[str, Any]


@click.command()
@click.option("--runs", type=click.IntRange(1, 100), default=5, show_default=True)
@click.option(
    "--trace",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help="In place of the generated burst.",
)
@click.option("--duration", type=float, default=60.0, show_default=True, help="Of each policy, s.")
@click.option(
    "--out", type=click.Path(path_type=Path), default=Path("demo-runs"), show_default=True
)
def main(runs: int, trace: Path | None, duration: float, out: Path) -> None:
    """Run the demo with seeds 1, 2, … and print what each policy came to."""
    played = [] if trace is None else ["--trace", str(trace)]
    played += ["--duration", str(duration)]
    reports = [_report(seed, played, out / str(seed)) for seed in range(1, runs + 1)]
    click.echo("\n".join(_table(reports)))


def _report(seed: int, played: list[str], folder: Path) -> Json:
    """Of one run, made now unless it is there."""
    file = folder / "report.json"
    if not file.exists():
        command = [sys.executable, "-m", "infadapter", "demo", "--seed", str(seed), *played]
        status = subprocess.run([*command, "--out", str(folder)]).returncode
        if status != 0:
            sys.exit(status)
    report: Json = json.loads(file.read_text())
    return report


def _table(reports: list[Json]) -> list[str]:
    lines = [
        "",
        "| seed | policy | effective accuracy | violations | CPU-seconds held | objective |",
    ]
    lines.append("|---|---|---|---|---|---|")
    for seed, report in enumerate(reports, start=1):
        for run in report["runs"]:
            m = run["measures"]
            cells = (
                f"{100 * m['effective_accuracy']:.2f} %",
                f"{100 * m['violations']:.2f} %",
                f"{m['cpu_seconds_held']:.1f}",
                f"{m['objective']:.3f}",
            )
            lines.append(f"| {seed} | {run['title']} | {' | '.join(cells)} |")
    won = sum(map(_is_better, reports))
    verdict = "more effective accuracy than the best single variant, for no more CPU-seconds"
    return [*lines, "", f"{verdict}: {won} of {len(reports)} runs"]


def _is_better(report: Json) -> bool:
    ours, single = (run["measures"] for run in report["runs"][:2])
    return bool(
        ours["effective_accuracy"] > single["effective_accuracy"]
        and ours["cpu_seconds_held"] <= single["cpu_seconds_held"]
    )


if __name__ == "__main__":
    main()
