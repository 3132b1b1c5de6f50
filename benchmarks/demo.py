"""
The demo several times, with other arrivals each time: does our loop beat the best single variant?

    python benchmarks/demo.py                 the default burst, five times
    python benchmarks/demo.py --trace FILE    the same on a recorded trace

A run takes about four minutes. One whose report is there already is not repeated, unless that was
of another trace or duration, so Ctrl-C loses only the one under way.
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
    "--out",
    type=click.Path(path_type=Path),
    help="[default: demo-runs/burst, or demo-runs and the trace's name]",
)
def main(runs: int, trace: Path | None, duration: float, out: Path | None) -> None:
    """Run the demo with seeds 1, 2, … and print what each policy came to."""
    folder = out or Path("demo-runs") / ("burst" if trace is None else trace.stem)
    seeds = range(1, runs + 1)
    reports = [_report(seed, trace, duration, folder / str(seed)) for seed in seeds]
    click.echo("\n".join(_table(reports)))


def _report(seed: int, trace: Path | None, duration_s: float, folder: Path) -> Json:
    """Of one run, made now unless it is there."""
    name = "generated burst" if trace is None else trace.name
    asked = {"trace": name, "duration_s": round(duration_s, 6), "seed": seed}
    file = folder / "report.json"
    if not (file.exists() and asked.items() <= _read(file)["circumstances"].items()):
        command = [sys.executable, "-m", "infadapter", "demo", "--out", str(folder)]
        command += ["--seed", str(seed), "--duration", str(duration_s)]
        command += [] if trace is None else ["--trace", str(trace)]
        status = subprocess.run(command).returncode
        if status != 0:
            sys.exit(status)
    return _read(file)


def _read(file: Path) -> Json:
    report: Json = json.loads(file.read_text())
    return report


def _table(reports: list[Json]) -> list[str]:
    lines = [
        "",
        "| seed | policy | effective accuracy | violations | CPU-seconds held | objective "
        "| generator late, p99 |",
        "|---|---|---|---|---|---|---|",
    ]
    for seed, report in enumerate(reports, start=1):
        for run in report["runs"]:
            m = run["measures"]
            cells = (
                f"{100 * m['effective_accuracy']:.2f} %",
                f"{100 * m['violations']:.2f} %",
                f"{m['cpu_seconds_held']:.1f}",
                f"{m['objective']:.3f}",
                f"{run['generator_late_ms']['p99']:.1f} ms",
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
