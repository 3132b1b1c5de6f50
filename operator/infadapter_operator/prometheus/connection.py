"""A connection to Prometheus or a compatible server; each failure becomes one sentence."""

import ssl
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import requests
from prometheus_api_client import PrometheusConnect
from prometheus_api_client.exceptions import PrometheusApiClientException
from requests.auth import AuthBase
from urllib3.util.retry import Retry

from infadapter_operator.credentials import (
    Credentials,
    CredentialsUnreadable,
    hidden,
    refuse_pipe,
)
from infadapter_operator.domain.load import QueryFailed, QueryRefused
from infadapter_operator.prometheus.body import read_within
from infadapter_operator.prometheus.posting import Posting
from infadapter_operator.prometheus.refusals import (
    ALSO_A_PART,
    ONLY_WHOLE,
    refuse_a_part,
    refuse_detours,
    refuse_pages,
    tell_bad_queries,
    tell_strangers,
)

MAX_POINTS = 3600
MAX_SERIES = 4000
"""Limit on series of a vector: four per pod. Of a service with more pods some are left out."""

AS_LATE_AS_IT_IS = {"latency_offset": "1s"}
"""
VictoriaMetrics by default answers with older values for the last 30 s. Others ignore the parameter.
Before version 1.88 it does not accept 0.
"""


@dataclass(frozen=True, slots=True)
class Prometheus:
    """A connection shared by all services. Answers are JSON of any shape until parsed."""

    connection: PrometheusConnect
    timeout_s: float
    hide: Callable[[str], str] = str
    """Masks secrets in a sentence."""
    params: Mapping[str, str] = field(default_factory=dict)
    """Parameters of every query."""
    certificates: tuple[str, ...] = ()
    """Files that OpenSSL opens without naming the one that it cannot use."""

    def range(self, query: str, start_s: int, end_s: int, step_s: int, series: int = 2) -> Any:
        """
        Run a range query; blocking. Raises QueryFailed.

        For a recent window a partial answer fails as well, since less load would follow from it.
        For a long window a store that is down would otherwise stop everything.
        """
        complete = ONLY_WHOLE if end_s - start_s <= MAX_POINTS else ALSO_A_PART
        with self._named_failures():
            return self.connection.custom_query_range(
                query,
                datetime.fromtimestamp(start_s, UTC),
                datetime.fromtimestamp(end_s, UTC),
                str(step_s),
                params={**self._params(series), **complete},
            )

    def instant(self, query: str, at_s: float) -> Any:
        """Run an instant query; blocking. Raises QueryFailed."""
        params = {**self._params(MAX_SERIES), **ONLY_WHOLE, "time": f"{at_s:.3f}"}
        with self._named_failures():
            return self.connection.custom_query(query, params=params)

    def _params(self, series: int) -> dict[str, str]:
        bounds = {"timeout": f"{self.timeout_s:g}s", "limit": str(series)}
        return {**bounds, **AS_LATE_AS_IT_IS, **self.params}

    @contextmanager
    def _named_failures(self) -> Iterator[None]:
        try:
            for path in self.certificates:
                refuse_pipe(Path(path))
            yield
        except QueryRefused as error:
            told = self.hide(str(error))
            raise QueryRefused(f"Prometheus refuses the query: {told[:200]}") from None
        except CredentialsUnreadable as error:
            raise QueryFailed(f"Prometheus was not asked: {error}") from None
        except requests.JSONDecodeError:
            raise QueryFailed("Prometheus's answer is not the JSON of a query") from None
        except (PrometheusApiClientException, OSError) as error:
            told = self.hide(_told(error, self.certificates))
            raise QueryFailed(f"Prometheus did not answer: {told[:200]}") from None
        except (ValueError, KeyError, TypeError, RecursionError):
            raise QueryFailed("Prometheus's answer is not the JSON of a query") from None


class _Identified(AuthBase):
    """Adds the credentials to each request, and knows which of them are secret."""

    def __init__(self, credentials: Credentials) -> None:
        self._credentials = credentials
        self._secrets: Mapping[str, str] = {}

    def __call__(self, request: requests.PreparedRequest) -> requests.PreparedRequest:
        self._secrets = self._credentials.secrets_now()
        request.headers.update({**self._credentials.headers, **self._secrets})
        return request

    def hide(self, text: str) -> str:
        return hidden(text, self._secrets)


def connect(url: str, timeout_s: float, credentials: Credentials | None = None) -> Prometheus:
    """Return a connection; no request is made. Proxy variables of the environment are ignored."""
    credentials = credentials or Credentials()
    session = Posting()
    session.trust_env = False
    session.verify = credentials.ca_file or True
    if credentials.certificate_file:
        files = (credentials.certificate_file, credentials.key_file)
        session.cert = files if credentials.key_file else credentials.certificate_file
    identified = _Identified(credentials) if credentials.identify else None
    session.hooks["response"] += [read_within(timeout_s)]
    session.hooks["response"] += [refuse_detours] if identified else []
    session.hooks["response"] += [refuse_pages, tell_strangers, tell_bad_queries, refuse_a_part]
    retry = Retry(total=0)  # the next cycle is the retry
    connection = PrometheusConnect(
        url, session=session, retry=retry, timeout=timeout_s, auth=identified
    )
    password = {"url": urlsplit(url).password or ""}

    def hide(text: str) -> str:
        return hidden(identified.hide(text) if identified else text, password)

    named = (credentials.ca_file, credentials.certificate_file, credentials.key_file)
    return Prometheus(connection, timeout_s, hide, certificates=tuple(filter(None, named)))


def _told(error: Exception, certificates: tuple[str, ...]) -> str:
    """Return the innermost error in one line, without the text of the query."""
    inner = _innermost(error)
    told = " ".join(str(inner).split())
    if isinstance(inner, ssl.SSLError) and (inner.library == "X509" or "PEM lib" in told):
        return f"{told}: look at {', '.join(certificates)}"
    return told


def _innermost(error: BaseException) -> BaseException:
    """Return the cause inside urllib3's MaxRetryError and requests' ConnectionError."""
    wrapped = [getattr(error, "reason", None), *error.args, error.__cause__]
    inner = next((e for e in wrapped if isinstance(e, BaseException) and e is not error), None)
    return error if inner is None else _innermost(inner)
