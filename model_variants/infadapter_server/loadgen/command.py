"""The load generator as a command: python -m infadapter_server.loadgen --help."""

import time
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path

import click

from infadapter_server.finite import Finite
from infadapter_server.loadgen import moments
from infadapter_server.loadgen.bodies import (
    BodyError,
    glyph_bodies,
    parse_shape,
    random_bodies,
    read_body,
)
from infadapter_server.loadgen.client import make_timely, replay, run
from infadapter_server.loadgen.endpoint import UrlError, parse_url
from infadapter_server.loadgen.records import Start, csv_writer, jsonl_writer
from infadapter_server.loadgen.report import render
from infadapter_workload.formats.known import FORMATS
from infadapter_workload.outcomes import Outcome, summarise
from infadapter_workload.read_options import OPTIONS, parse_options
from infadapter_workload.reading import named_trace
from infadapter_workload.trace import Array, Trace, TraceError, described


def trace_options(command: Callable[..., None]) -> Callable[..., None]:
    """How a trace is read where its file leaves it open."""
    for option in reversed(OPTIONS):
        command = click.option(f"--trace-{option.name}", metavar=option.metavar, help=option.help)(
            command
        )
    forms = f"Where it is not recognised: {', '.join(FORMATS)}."
    return click.option("--trace-format", metavar="FORMAT", help=forms)(command)


LEAD_S = 0.3  # for starting up, before second 0
SO_FAR = "This is what was done by then."

Existing = click.Path(exists=True, dir_okay=False, path_type=Path)
Positive = Finite(min=0, min_open=True)


@click.command(name="python -m infadapter_server.loadgen")
@click.option("--url", required=True, help="http://HOST:PORT/v2/models/NAME/infer")
@click.option(
    "--trace",
    metavar="FILE",
    help="Requests per second, time stamps, an access log, … or synthetic:KIND[:SEED].",
)
@trace_options
@click.option("--rps", type=Positive, help="A constant rate in place of a trace.")
@click.option("--arrivals", type=Existing, help="Exact moments, one a line, in seconds, sorted.")
@click.option("--duration", type=Positive, help="Seconds; of a trace, its first so many.")
@click.option("--compress", type=Positive, help="Play the trace in so many seconds.")
@click.option("--scale", type=Positive, default=1.0, help="Multiply all rates.")
@click.option("--seed", type=click.IntRange(min=0), default=0, show_default=True)
@click.option("--slo-ms", type=Positive, help="Answers later than this count as late.")
@click.option("--timeout", type=Positive, default=10.0, show_default=True, help="Seconds.")
@click.option("--body", type=Existing, multiple=True, help="A request body; may be repeated.")
@click.option("--shape", help="Random FP32 bodies of this shape, such as 1,3,224,224.")
@click.option("--out", type=click.Path(dir_okay=False, path_type=Path), help="FILE.jsonl or .csv")
def main(
    url: str,
    trace: str | None,
    rps: float | None,
    arrivals: Path | None,
    duration: float | None,
    compress: float | None,
    scale: float,
    seed: int,
    slo_ms: float | None,
    timeout: float,
    body: tuple[Path, ...],
    shape: str | None,
    out: Path | None,
    **reading: str | None,
) -> None:
    """Send requests open-loop, when a trace or a rate has them arrive, and say what became of them.

    The bodies are images of the demo's task unless --body or --shape says otherwise. A run is
    bounded: one day and five million requests; one core sends some 8,000 a second on time.

    \b
    Example, 20 requests a second for a minute:
      python -m infadapter_server.loadgen --rps 20 --duration 60 --slo-ms 100 \\
          --url http://127.0.0.1:8080/v2/models/glyphs/infer --out outcomes.jsonl
    """
    outcomes: list[Outcome] = []
    status = 0
    try:
        moments_s = _moments(trace, reading, rps, arrivals, duration, compress, scale, seed)
        _send(url, moments_s, _bodies(body, shape, seed), timeout, out, outcomes)
    except (TraceError, BodyError, UrlError) as error:
        raise click.UsageError(str(error)) from error
    except OSError as error:
        if out is None:
            raise
        click.echo(f"{out} cannot be written: {error.strerror}. {SO_FAR}", err=True)
        status = 1
    except KeyboardInterrupt:
        click.echo(f"Interrupted. {SO_FAR}", err=True)
        status = 130
    slo_s = None if slo_ms is None else slo_ms / 1e3
    click.echo(render(summarise(outcomes, slo_s=slo_s, duration_s=duration)))
    raise SystemExit(status)


def _moments(
    trace: str | None,
    reading: dict[str, str | None],
    rps: float | None,
    arrivals: Path | None,
    duration_s: float | None,
    compress_s: float | None,
    scale: float,
    seed: int,
) -> Array:
    if sum(source is not None for source in (trace, rps, arrivals)) != 1:
        raise click.UsageError("Give one of --trace, --rps and --arrivals.")
    if trace is not None:
        return moments.of_trace(
            _read(trace, reading),
            scale=scale,
            seed=seed,
            duration_s=duration_s,
            compress_s=compress_s,
        )
    if rps is not None:
        if duration_s is None:
            raise click.UsageError("--rps needs --duration.")
        return moments.of_rate(rps * scale, duration_s, seed=seed)
    assert arrivals is not None
    return moments.read_moments(arrivals)


def _read(name: str, reading: dict[str, str | None]) -> Trace:
    """Silence is sent as such, unless it is said otherwise; what was read is said on stderr."""
    texts = {option.name: reading[f"trace_{option.name}"] for option in OPTIONS}
    texts["gaps"] = texts["gaps"] or "keep"
    trace = named_trace(name, options=parse_options(texts, format=reading["trace_format"]))
    for line in described(trace):
        click.echo(line, err=True)
    return trace


def _bodies(paths: tuple[Path, ...], shape: str | None, seed: int) -> list[bytes]:
    if paths:
        return [read_body(path) for path in paths]
    if shape is None:
        return glyph_bodies(seed=seed)
    return random_bodies(parse_shape(shape), seed=seed)


def _send(
    url: str,
    moments_s: Array,
    bodies: list[bytes],
    timeout_s: float,
    out: Path | None,
    outcomes: list[Outcome],
) -> None:
    endpoint = parse_url(url)
    make_timely()
    with ExitStack() as stack:
        start_s = time.monotonic() + LEAD_S
        write = _recorder(out, start_s, len(moments_s), stack)

        def record(outcome: Outcome) -> None:
            outcomes.append(outcome)
            write(outcome)

        run(
            replay(
                host=endpoint.host,
                port=endpoint.port,
                path=endpoint.path,
                bodies=bodies,
                arrivals_s=moments_s,
                timeout_s=timeout_s,
                on_outcome=record,
                start_s=start_s,
            )
        )


def _recorder(
    out: Path | None, start_s: float, requests: int, stack: ExitStack
) -> Callable[[Outcome], None]:
    if out is None:
        return lambda _: None
    try:
        file = stack.enter_context(out.open("w", buffering=1, encoding="utf-8"))
    except OSError as error:
        raise click.UsageError(f"{out} cannot be written: {error.strerror}.") from error
    if out.suffix == ".csv":
        return csv_writer(file)
    unix_s = time.time() + start_s - time.monotonic()
    start = Start(start_monotonic_s=start_s, start_unix_s=unix_s, requests=requests)
    return jsonl_writer(file, start)
