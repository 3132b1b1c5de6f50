"""Read a trace from a Prometheus: range queries in bounded chunks, errors in one sentence."""

import json
import re
import ssl
import time
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Callable
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path
from typing import Any

from infadapter.progress import Progress
from infadapter.spans import Span
from infadapter_operator.credentials import Credentials, CredentialsUnreadable, hidden, refuse_pipe
from infadapter_workload.formats.matrix import matrix_of
from infadapter_workload.formats.moments import SECOND_NS, moment_ns
from infadapter_workload.formats.prometheus import series_of
from infadapter_workload.gaps import resolve_gaps
from infadapter_workload.read_options import ReadOptions
from infadapter_workload.trace import MAX_SECONDS, Trace, TraceError

POINTS = 10_000
"""Points per answer; Prometheus allows 11,000."""

MOST_BYTES = 64 * 2**20
TIMEOUT_S = 120.0

_PATH = "/api/v1/query_range"


@dataclass(frozen=True, slots=True)
class Store:
    """One Prometheus, with its name for messages."""

    url: str

    @property
    def name(self) -> str:
        return urllib.parse.urlsplit(self.url).hostname or "prometheus"

    def error(self, problem: str) -> TraceError:
        return TraceError(f"The Prometheus at {self._shown} {problem}.")

    @property
    def _shown(self) -> str:
        """The URL without its password."""
        return re.sub(r"//[^/@]*@", "//", self.url)


def is_store(name: str) -> bool:
    return name.startswith(("http://", "https://"))


def trace_of_store(url: str, span: Span, options: ReadOptions) -> Trace:
    """Return the sum of all series of the query. Raises TraceError."""
    store = Store(url)
    try:
        urllib.parse.urlsplit(url).port  # noqa: B018 - which raises
    except ValueError as error:
        raise store.error(f"has no valid address: {error}") from error
    if not span.query:
        raise store.error("is to be asked: give --query, such as 'sum(rate(requests_total[1m]))'")
    answers = _answers(store, span, Progress(what="parts of the query"))
    series = series_of(store, matrix_of(store, answers), options)
    return resolve_gaps(series, options.gaps, url)


def _answers(store: Store, span: Span, told: Callable[[int, int], None]) -> list[Any]:
    end_s = _until_s(span.until) // span.step_s * span.step_s
    start_s = end_s - span.last_s // span.step_s * span.step_s
    if not 0 < span.last_s <= MAX_SECONDS:
        raise store.error(f"can be asked for 1 to {MAX_SECONDS:,} s")
    if start_s == end_s:
        raise store.error("is asked for less than one step: give --query-last or --query-step")
    chunk_s = POINTS * span.step_s
    starts = range(start_s, end_s, chunk_s)
    answers = []
    for done, first_s in enumerate(starts):
        last_s = min(first_s + chunk_s, end_s) - span.step_s
        answers.append(_answer(store, span, first_s, max(first_s, last_s)))
        told(done + 1, len(starts))
    return answers


def _answer(store: Store, span: Span, start_s: int, end_s: int) -> Any:
    asked = {"query": span.query, "start": start_s, "end": end_s, "step": span.step_s}
    request = _request(store, span, urllib.parse.urlencode(asked))
    try:
        with urllib.request.urlopen(
            request, timeout=TIMEOUT_S, context=_trust(store, span.credentials)
        ) as response:
            return _parsed(
                store, response.headers.get_content_type(), response.read(MOST_BYTES + 1)
            )
    except TraceError:
        raise
    except urllib.error.HTTPError as error:
        with error:
            said = _error_in(error.read(65_536)) or error.reason
            said = hidden(said, span.credentials.headers_now())
        hint = ": look at --query-token and --query-header" if error.code in (401, 403) else ""
        raise store.error(f"answered {error.code}: {said}{hint}") from error
    except urllib.error.URLError as error:
        raise store.error(f"does not answer: {_cause(error.reason)}") from error
    except (OSError, ValueError) as error:
        raise store.error(f"does not answer: {_cause(error)}") from error


def _request(store: Store, span: Span, asked: str) -> urllib.request.Request:
    url = store.url.rstrip("/").removesuffix(_PATH) + f"{_PATH}?{asked}"
    request = urllib.request.Request(url, headers={"Accept": "application/json"})
    try:
        headers = span.credentials.headers_now()
    except CredentialsUnreadable as error:
        raise TraceError(f"--query-token: {error}.") from error
    for name, value in headers.items():
        request.add_unredirected_header(name, value)  # to nobody else
    return request


def _trust(store: Store, credentials: Credentials) -> ssl.SSLContext | None:
    """Return the TLS context. Raises TraceError."""
    if not store.url.startswith("https://"):
        return None
    files = (credentials.ca_file, credentials.certificate_file, credentials.key_file)
    named = [name for name in files if name]
    try:
        for name in named:
            refuse_pipe(Path(name))
        known = credentials.ca_file or None  # a file, or a folder of them as OpenSSL names them
        is_folder = known is not None and Path(known).is_dir()
        context = ssl.create_default_context(
            cafile=None if is_folder else known, capath=known if is_folder else None
        )
        if credentials.certificate_file:
            context.load_cert_chain(
                credentials.certificate_file, credentials.key_file or None, password=""
            )
    except CredentialsUnreadable as error:
        raise TraceError(f"The certificate {error}.") from error
    except (OSError, ValueError) as error:
        raise TraceError(
            f"{', '.join(named)}: no certificate, or key, is read: {_cause(error)}."
        ) from error
    return context


def _parsed(store: Store, kind: str, content: bytes) -> Any:
    if len(content) > MOST_BYTES:
        raise store.error("answers with more than 64 MiB: sum in the query, or a longer step")
    try:
        return json.loads(content, parse_float=Decimal, parse_int=Decimal)
    except (ValueError, RecursionError) as error:
        is_page = "html" in kind or content.lstrip().startswith(b"<")
        page = f"{kind}, not JSON: there may be a login before it"
        raise store.error(f"answered {page if is_page else 'what is no JSON'}") from error


def _error_in(content: bytes) -> str:
    try:
        return str(json.loads(content)["error"]).replace("\n", " ")[:300]
    except (ValueError, KeyError, TypeError, RecursionError):
        return ""


def _cause(error: object) -> str:
    """Return the innermost cause, without numbers and places."""
    reason = getattr(error, "strerror", None) or str(error) or type(error).__name__
    return str(reason).rstrip(".")


def _until_s(text: str | None) -> int:
    if text is None:
        return int(time.time())
    try:
        return moment_ns(text) // SECOND_NS
    except ValueError:
        raise TraceError(
            f"--query-until must be such as 2024-03-01T10:00:00Z, not {text!r}."
        ) from None
