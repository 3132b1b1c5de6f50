"""Options for the trace and its part; importing them imports no simulation."""

import os
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

import click

from infadapter.options import number_between
from infadapter.progress import Progress
from infadapter.spans import Span, span_options
from infadapter.stores import is_store, trace_of_store
from infadapter_operator.credentials import (
    Credentials,
    CredentialsUnreadable,
    is_header,
    read,
)
from infadapter_workload.formats.known import FORMATS
from infadapter_workload.read_options import OPTIONS, ReadOptions, parse_options
from infadapter_workload.reading import named_trace
from infadapter_workload.trace import Trace, TraceError, described

Command = TypeVar("Command", bound=Callable[..., Any])
Option = Callable[[Command], Command]


@dataclass(frozen=True, slots=True, kw_only=True)
class TraceOptions:
    """The trace, and what its file does not say about itself, as given."""

    trace: tuple[str, ...] = ()
    trace_format: str | None = None
    keep_zeros: bool = False
    trace_columns: str | None = None
    trace_values: str | None = None
    trace_unit: str | None = None
    trace_every: str | None = None
    trace_gaps: str | None = None
    trace_only: str | None = None
    query: str | None = None
    query_last: int = 86_400
    query_until: str | None = None
    query_step: int = 15
    query_token: str | None = None
    query_header: tuple[str, ...] = ()
    query_ca: str | None = None
    query_cert: str | None = None
    query_key: str | None = None


def trace_of(options: TraceOptions, to_s: int | None = None) -> Trace:
    """Return the trace; nothing from `to_s` on needs to be read. Raises TraceError."""
    reading = _read_options(options, to_s)
    stores = [name for name in options.trace if is_store(name)]
    if stores and len(options.trace) == 1:
        return trace_of_store(stores[0], _span(options), reading)
    if stores or options.query:
        raise TraceError("--query asks one Prometheus: give its address, http://…, to --trace.")
    return named_trace(options.trace, options=reading)


def trace_options_of(options: dict[str, Any]) -> TraceOptions:
    """Take the trace's options out of all options."""
    return TraceOptions(**{name: options.pop(name) for name in TraceOptions.__slots__})


def say_trace(trace: Trace, part: str = "") -> None:
    """
    Print on stderr, before any computation, what the file was taken for, its load, and all notes.
    """
    for line in described(trace):
        click.echo(line, err=True)
    if part:
        click.echo(f"  {part}", err=True)


def with_options(command: Command, options: Iterable[Option[Command]]) -> Command:
    """Add options in this order to the help."""
    for option in reversed(tuple(options)):
        command = option(command)
    return command


def reading_options() -> tuple[Option[Any], ...]:
    """Return the options for ambiguous files, and for querying a Prometheus."""
    return (
        click.option(
            "--trace-format", metavar="FORMAT", help=f"If it is not recognised: {_forms()}."
        ),
        *(
            click.option(f"--trace-{option.name}", metavar=option.metavar, help=option.help)
            for option in OPTIONS
        ),
        click.option("--keep-zeros", is_flag=True, help="The same as --trace-gaps keep."),
        *span_options(),
    )


def part_options(*, required: bool, begin: str) -> tuple[Option[Any], ...]:
    """Return the options of the part; `begin` is the help of --from."""
    return (
        trace_option(required=required),
        *reading_options(),
        click.option(
            "--rate-scale",
            type=number_between(1e-6, 1e6),
            metavar="NUMBER",
            default="1",
            show_default=True,
            help="Multiplies the trace's rates.",
        ),
        click.option(
            "--from",
            "from_s",
            type=click.IntRange(min=0),
            metavar="SECOND",
            default=0,
            help=begin,
        ),
        click.option(
            "--to", "to_s", type=click.IntRange(min=1), metavar="SECOND", help="End before it."
        ),
    )


def trace_option(*, required: bool, default: str = "") -> Option[Any]:
    return click.option(
        "--trace",
        multiple=True,
        required=required,
        metavar="FILE",
        help="Requests per second, time stamps, an access log, …; - is the standard input; several "
        "files of one service are one trace; http://… is a Prometheus; synthetic:KIND[:SEED] is "
        f"generated.{default}",
    )


def _forms() -> str:
    return ", ".join(
        f"{name}[:{form.option}]" if form.option else name for name, form in FORMATS.items()
    )


def _read_options(options: TraceOptions, to_s: int | None) -> ReadOptions:
    texts = {option.name: getattr(options, f"trace_{option.name}") for option in OPTIONS}
    if options.keep_zeros and texts["gaps"] not in (None, "keep"):
        raise TraceError("Give either --keep-zeros or --trace-gaps.")
    texts["gaps"] = "keep" if options.keep_zeros else texts["gaps"] or "ask"
    progress = Progress(what="% of the trace")
    return parse_options(
        texts,
        format=options.trace_format,
        to_s=to_s if len(options.trace) == 1 else None,
        on_progress=lambda done, total: progress(100 * done // (total or done or 1), 100),
    )


def _span(options: TraceOptions) -> Span:
    return Span(
        query=options.query,
        last_s=options.query_last,
        until=options.query_until,
        step_s=options.query_step,
        credentials=_credentials(options),
    )


def _credentials(options: TraceOptions) -> Credentials:
    """Return the credentials. Raises TraceError."""
    if options.query_key and not options.query_cert:
        raise TraceError("--query-key is of a certificate: give --query-cert, too.")
    return Credentials(
        token_file=options.query_token or "",
        headers=dict(map(_header, options.query_header)),
        ca_file=options.query_ca or os.environ.get("REQUESTS_CA_BUNDLE", ""),
        certificate_file=options.query_cert or "",
        key_file=options.query_key or "",
    )


def _header(text: str) -> tuple[str, str]:
    """Parse a header; errors do not show its value. Raises TraceError."""
    name, _, value = text.partition("=")
    try:
        value = read(Path(value[1:])) if value.startswith("@") else value
    except CredentialsUnreadable as error:
        raise TraceError(f"--query-header {name}: {error}.") from error
    if not is_header(name, value):
        raise TraceError("--query-header must be such as X-Scope-OrgID=vision.")
    return name, value
