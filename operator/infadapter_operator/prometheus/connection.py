"""One connection to Prometheus, or to what speaks as it does; each failure is one sentence."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any
from urllib.parse import urlencode

import requests
from prometheus_api_client import PrometheusConnect
from prometheus_api_client.exceptions import PrometheusApiClientException
from urllib3.util.retry import Retry

from infadapter_operator.domain.load import QueryFailed

MAX_POINTS = 3600
MAX_SERIES = 4000
"""Two a pod; of a service with more pods, some are left out."""

ONLY_WHOLE = {"partial_response": "false"}
"""Thanos then fails instead of answering with what it has; others don't know the parameter."""

ABOUT_THE_QUERY = ("PromQL ", "results truncated")
"""Warnings that begin so are no word of what is missing."""


@dataclass(frozen=True, slots=True)
class Prometheus:
    """One connection for all services. The answers it gives are JSON of any shape until read."""

    connection: PrometheusConnect
    timeout_s: float

    def range(self, query: str, start_s: int, end_s: int, step_s: int, series: int = 2) -> Any:
        """
        Blocking. Raises QueryFailed; of a recent window also where the answer is only a part, from
        which less load would follow. For a long one a store that is away would stop everything.
        """
        recent = ONLY_WHOLE if end_s - start_s <= MAX_POINTS else {}
        with _named_failures():
            return self.connection.custom_query_range(
                query,
                datetime.fromtimestamp(start_s, UTC),
                datetime.fromtimestamp(end_s, UTC),
                str(step_s),
                params={"timeout": f"{self.timeout_s:g}s", "limit": str(series), **recent},
            )

    def instant(self, query: str, at_s: float) -> Any:
        """Blocking. Raises QueryFailed."""
        params = {"timeout": f"{self.timeout_s:g}s", "limit": str(MAX_SERIES), **ONLY_WHOLE}
        with _named_failures():
            return self.connection.custom_query(query, params={**params, "time": f"{at_s:.3f}"})


@contextmanager
def _named_failures() -> Iterator[None]:
    try:
        yield
    except (PrometheusApiClientException, requests.RequestException) as error:
        raise QueryFailed(f"Prometheus did not answer: {_told(error)}") from None
    except (ValueError, KeyError, TypeError):
        raise QueryFailed("Prometheus's answer is not the JSON of a query") from None


def connect(url: str, timeout_s: float) -> Prometheus:
    """No request is made. Proxies and CA bundles of the environment are not for Prometheus."""
    session = requests.Session()
    session.trust_env = False
    session.hooks["response"] += [_refuse_pages, _refuse_a_part]
    retry = Retry(total=0)  # the next cycle is the retry
    return Prometheus(
        PrometheusConnect(url, session=session, retry=retry, timeout=timeout_s), timeout_s
    )


def _refuse_a_part(response: requests.Response, **_: object) -> None:
    """The client keeps the data and drops the warnings, by which Thanos says what it lacks."""
    if urlencode(ONLY_WHOLE) not in str(response.request.url):
        return
    try:
        warnings = response.json().get("warnings") or []
    except (ValueError, AttributeError):
        return  # it is no answer, as whoever reads it will say
    lacking = [text for text in map(str, warnings) if not text.startswith(ABOUT_THE_QUERY)]
    if lacking:
        raise requests.RequestException(f"only a part of the data is there: {lacking[0]}")


def _refuse_pages(response: requests.Response, **_: object) -> None:
    """A login page is a good answer to everybody but to whoever asked a question."""
    kind = response.headers.get("content-type", "").partition(";")[0]
    if response.ok and kind.startswith("text/html"):
        raise requests.RequestException(f"it answered {kind}, not JSON: is a login in front of it?")


def _told(error: Exception) -> str:
    """What went wrong at the bottom, in one line, without the query's text around it."""
    return " ".join(str(_innermost(error)).split())[:200]


def _innermost(error: BaseException) -> BaseException:
    """Of what urllib3 wraps in a MaxRetryError, and requests in a ConnectionError, the reason."""
    wrapped = [getattr(error, "reason", None), *error.args[:1], error.__cause__]
    inner = next((e for e in wrapped if isinstance(e, BaseException) and e is not error), None)
    return error if inner is None else _innermost(inner)
