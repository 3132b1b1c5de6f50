"""Options for querying a Prometheus: the query and the time range."""

import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import click

from infadapter_operator.credentials import Credentials

_UNITS_S = {"": 1, "s": 1, "m": 60, "min": 60, "h": 3600, "d": 86_400, "w": 7 * 86_400}


@dataclass(frozen=True, slots=True, kw_only=True)
class Span:
    """A query and its time range."""

    query: str | None
    last_s: int
    until: str | None
    step_s: int
    credentials: Credentials


def span_options() -> tuple[Callable[[Any], Any], ...]:
    return (
        click.option("--query", metavar="PROMQL", help="PromQL for requests per second."),
        click.option(
            "--query-last",
            type=_duration,
            metavar="TIME",
            default="1d",
            show_default=True,
            help="Time range before the end, such as 6h.",
        ),
        click.option("--query-until", metavar="TIME", help="ISO 8601, or seconds.  [default: now]"),
        click.option(
            "--query-step",
            type=_duration,
            metavar="TIME",
            default="15s",
            show_default=True,
            help="Time between values.",
        ),
        click.option(
            "--query-token", metavar="FILE", help="A file with a bearer token for Prometheus."
        ),
        click.option(
            "--query-header",
            metavar="NAME=VALUE",
            multiple=True,
            help="Sent to it, such as X-Scope-OrgID=vision; @FILE is a value in a file.",
        ),
        click.option(
            "--query-ca",
            metavar="FILE",
            help="Certificate authorities to trust.  [env: REQUESTS_CA_BUNDLE]",
        ),
        click.option(
            "--query-cert", metavar="FILE", help="Client certificate, with its --query-key."
        ),
        click.option("--query-key", metavar="FILE"),
    )


def _duration(text: str) -> int:
    match = re.fullmatch(r"([1-9]\d{0,7})(s|m|min|h|d|w|)", text)
    if not match:
        raise click.BadParameter(f"{text!r} is no time such as 90s, 15m, 6h or 7d.")
    return int(match[1]) * _UNITS_S[match[2]]
