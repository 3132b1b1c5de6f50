"""`infadapter trace`: what a file is taken for, before anything is computed from it."""

import json
from pathlib import Path
from typing import Any

import click
import numpy as np
import numpy.typing as npt

from infadapter.files import check_writable, replacing
from infadapter.traces import (
    Command,
    reading_options,
    trace_of,
    trace_options_of,
    with_options,
)
from infadapter_workload.formats.known import FORMATS
from infadapter_workload.gaps import LONGEST_S
from infadapter_workload.shaping import sliced, zero_runs
from infadapter_workload.trace import Trace, TraceError, described

ENDINGS = (".png", ".svg")

_LISTED = 10  # silences, at most


def read_as_asked(command: Command) -> Command:
    return with_options(command, reading_options())


@click.command("trace", context_settings={"max_content_width": 100})
@click.argument("files", metavar="FILE…", nargs=-1)
@click.option("--trace", "traces", multiple=True, metavar="FILE", help="The same as FILE.")
@read_as_asked
@click.option("--from", "from_s", type=click.IntRange(min=0), metavar="SECOND", default=0)
@click.option("--to", "to_s", type=click.IntRange(min=1), metavar="SECOND", help="End before it.")
@click.option(
    "--plot",
    type=click.Path(dir_okay=False, path_type=Path),
    metavar="FILE",
    help="Plot it to a .png or .svg file.",
)
@click.option(
    "--out",
    type=click.Path(dir_okay=False, path_type=Path),
    metavar="FILE",
    help="Write it as a plain CSV, requests or rps of each second.",
)
@click.option("--format", type=click.Choice(["text", "json"]), default="text", show_default=True)
@click.option("--forms", is_flag=True, help="List the forms that --trace-format names.")
def trace(
    files: tuple[str, ...],
    traces: tuple[str, ...],
    from_s: int,
    to_s: int | None,
    plot: Path | None,
    out: Path | None,
    format: str,
    forms: bool,
    **options: Any,
) -> None:
    """Show what simulate, demo and the others take a trace for: its form, load, gaps, and notes.

    Where a file is ambiguous, this ends with status 2 and a sentence that says which
    option says what it is. Times count from the first second of the trace.

    \b
    Examples:
      infadapter trace access.log --trace-only 'path!=/healthz'
      infadapter trace export.csv --trace-columns value=* --trace-values rates --plot load.png
      infadapter trace http://prometheus:9090 --query 'sum(rate(requests_total[1m]))' --out load.csv
    """
    if forms:
        click.echo("\n".join(f"{name:22}{form.help}" for name, form in FORMATS.items()))
        return
    _check(files + traces, plot, out)
    options["trace"] = files + traces
    try:
        found = trace_of(trace_options_of(options), to_s)
        if from_s or (to_s is not None and to_s < found.seconds):
            found = sliced(found, from_s, to_s or found.seconds)
    except TraceError as error:
        raise click.UsageError(str(error)) from error
    silences = _silences(found)
    click.echo(_facts(found, silences) if format == "json" else _text(found, silences))
    if out:
        _write(found, out, len(silences) > 0)
    if plot:
        _draw(found, silences, plot)


def _check(names: tuple[str, ...], plot: Path | None, out: Path | None) -> None:
    if not names:
        raise click.UsageError(
            "Give a FILE, - for the standard input, or http://… of a Prometheus."
        )
    if plot and plot.suffix not in ENDINGS:
        raise click.UsageError(f"--plot must end in {' or '.join(ENDINGS)}, not {plot.name}.")
    for path in (plot, out):
        if path:
            check_writable(path)


def _silences(trace: Trace) -> npt.NDArray[np.int64]:
    runs = zero_runs(trace.rates)
    return runs[np.diff(runs, axis=1)[:, 0] >= LONGEST_S]


def _text(trace: Trace, silences: npt.NDArray[np.int64]) -> str:
    lines = described(trace)
    if len(silences):
        silent_s = int(np.diff(silences, axis=1).sum())
        first = ", ".join(f"{a:,} to {b:,} s" for a, b in silences[:_LISTED])
        more = " …" if len(silences) > _LISTED else ""
        lines.append(f"  silent for {LONGEST_S} s or more, {silent_s:,} s in all: {first}{more}")
    return "\n".join(lines)


def _facts(trace: Trace, silences: npt.NDArray[np.int64]) -> str:
    facts = {
        "trace": trace.name,
        "form": trace.form,
        "seconds": trace.seconds,
        "requests": trace.requests,
        "mean_rps": trace.mean_rps,
        "peak_rps": trace.peak_rps,
        "counted": trace.counted,
        "notes": list(trace.notes),
        "silences": silences.tolist(),
    }
    return json.dumps(facts, indent=2)


def _write(trace: Trace, path: Path, silent: bool) -> None:
    """`requests` where they are counted, which is read as such; else rates."""
    name = "requests" if trace.counted else "rps"
    with replacing(path) as beside, beside.open("w", encoding="utf-8") as file:
        file.write(f"second,{name}\n")
        for second, rate in enumerate(trace.rates.tolist()):
            file.write(f"{second},{int(rate) if trace.counted else repr(rate)}\n")
    hint = ": read it with --trace-gaps keep, for it has silence" if silent else ""
    click.echo(f"The trace is {path}{hint}", err=True)


def _draw(trace: Trace, silences: npt.NDArray[np.int64], path: Path) -> None:
    from infadapter_simulator.report.pictures import save
    from infadapter_simulator.report.trace_plot import trace_plot

    title = f"{trace.name}: {trace.form.partition(',')[0]}, mean {trace.mean_rps:,.4g} rps"
    save(trace_plot(trace, silences, title), path)
    click.echo(f"The picture is {path}", err=True)
