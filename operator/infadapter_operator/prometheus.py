"""
Demand as Prometheus knows it.

The default query counts arrivals at our router's listener, before anything is refused. `irate` over
a window of several scrapes follows the load within a scrape and outlives a counter's reset, but it
goes on answering for that whole window after the scrapes have stopped, so each series is also held
against the time of its last real sample. What comes back is a History or a named error.
"""

import asyncio
import math
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import requests
from prometheus_api_client import PrometheusConnect
from prometheus_api_client.exceptions import PrometheusApiClientException
from urllib3.util.retry import Retry

from infadapter_operator.demand import (
    Delivered,
    DemandError,
    History,
    InvalidData,
    NoData,
    QueryFailed,
    Sample,
    StaleData,
)

MAX_POINTS = 3600
MISSED_SCRAPES = 3
"""So many scrapes in a row that fail are stale data."""


def arrivals_query(namespace: str, service: str, scrape_s: float) -> str:
    """Requests per second that reach the router of a service, over all the router's pods."""
    return _rate(f"envoy_http_downstream_rq_total{_router(namespace, service)}", scrape_s)


def served_query(namespace: str, deployments: Iterable[str], scrape_s: float) -> str:
    """
    Requests per second that reach the servers, refused ones too: where the router is a gateway.
    The labels are those that Prometheus gives to what it finds in Kubernetes.
    """
    pods = f"({'|'.join(sorted(deployments))})-[a-z0-9]+-[a-z0-9]+"
    labels = f'{{namespace="{namespace}",pod=~"{pods}"}}'
    return _rate(f"infadapter_server_arrivals_total{labels}", scrape_s)


def _rate(counter: str, scrape_s: float) -> str:
    fresh = fresh_for_s(scrape_s)
    window = max(15, fresh + math.ceil(2 * scrape_s))
    return f"sum(irate({counter}[{window}s]) and (time() - timestamp({counter}) <= {fresh}))"


def fresh_for_s(scrape_s: float) -> int:
    """How old a sample may be; a scrape or two come late when a machine is busy."""
    return max(5, math.ceil(MISSED_SCRAPES * scrape_s))


def met_query(namespace: str, service: str, slo_s: float) -> str:
    """
    The share of the last five minutes' requests that were answered 2xx within the SLO. What was
    not answered 2xx counts as if it had been fast, so this is never too high. All of them are
    counted by the same histogram: Envoy's histograms lag seconds behind its counters.
    """
    labels = _router(namespace, service)[1:-1]
    base = "envoy_http_downstream_rq"
    bound = f'le=~"{round(slo_s * 1000)}([.]0)?"'  # Prometheus 3 writes 300 as 300.0
    fast = f"sum(increase({base}_time_bucket{{{labels},{bound}}}[5m]))"
    classes = 'envoy_response_code_class!="2"'
    wrong = f"(sum(increase({base}_xx{{{labels},{classes}}}[5m])) or vector(0))"
    return (
        f"clamp_min({fast} - {wrong}, 0) / (sum(increase({base}_time_count{{{labels}}}[5m])) > 0)"
    )


def _router(namespace: str, service: str) -> str:
    return f'{{envoy_http_conn_manager_prefix="{namespace}/{service}"}}'


@dataclass(frozen=True, slots=True)
class Prometheus:
    """One connection for all services. The answers it gives are JSON of any shape until read."""

    connection: PrometheusConnect
    timeout_s: float

    def range(self, query: str, start_s: int, end_s: int, step_s: int) -> Any:
        """Blocking. Raises QueryFailed."""
        try:
            return self.connection.custom_query_range(
                query,
                datetime.fromtimestamp(start_s, UTC),
                datetime.fromtimestamp(end_s, UTC),
                str(step_s),
                params={"timeout": f"{self.timeout_s:g}s", "limit": "2"},
            )
        except (PrometheusApiClientException, requests.RequestException) as error:
            raise QueryFailed(f"Prometheus did not answer: {_short(error)}") from None
        except (ValueError, KeyError, TypeError):
            raise QueryFailed("Prometheus's answer is not the JSON of a query") from None


def connect(url: str, timeout_s: float) -> Prometheus:
    """No request is made. Proxies and CA bundles of the environment are not for Prometheus."""
    session = requests.Session()
    session.trust_env = False
    retry = Retry(total=0)  # the next look is the retry
    return Prometheus(
        PrometheusConnect(url, session=session, retry=retry, timeout=timeout_s), timeout_s
    )


@dataclass(frozen=True, slots=True)
class PrometheusDemand:
    """The load of one service, by one query that gives one series of requests per second."""

    prometheus: Prometheus
    query: str

    async def delivered(self, window_s: float, now_s: float) -> Mapping[str, Delivered]:
        return {}

    async def history(self, window_s: float, now_s: float) -> History:
        """Samples a second apart, or further where the window is long. Raises a DemandError."""
        step_s = max(1, math.ceil(window_s / MAX_POINTS))
        end_s = math.floor(now_s)
        start_s = end_s - step_s * math.ceil(window_s / step_s)
        try:
            async with asyncio.timeout(2 * self.prometheus.timeout_s):
                answer = await asyncio.to_thread(
                    self.prometheus.range, self.query, start_s, end_s, step_s
                )
        except TimeoutError:
            raise QueryFailed("Prometheus did not answer in time") from None
        samples = samples_of(answer)
        if samples[-1].at_s < end_s - 2 * step_s:
            raise StaleData(f"the last sample is {end_s - samples[-1].at_s:.0f} s old")
        return History(samples)


async def slo_met_ratio(prometheus: Prometheus, query: str, now_s: float) -> float | None:
    """By `met_query`; None if it can't be known, which is no reason to do anything else."""
    try:
        history = await PrometheusDemand(prometheus, query).history(1.0, now_s)
    except DemandError:
        return None
    return min(1.0, history.samples[-1].rps)


def samples_of(answer: object) -> tuple[Sample, ...]:
    """The samples of a matrix with one series. Raises NoData, InvalidData or QueryFailed."""
    if not isinstance(answer, list):
        raise QueryFailed("Prometheus's answer is no list of series")
    if not answer:
        raise NoData("Prometheus has no such series in this window")
    if len(answer) > 1:
        raise InvalidData("the query gives several series; write sum(…) around it")
    try:
        values = answer[0]["values"]
        samples = tuple(Sample(float(at_s), float(rps)) for at_s, rps in values)
    except (KeyError, TypeError, ValueError):
        raise QueryFailed("Prometheus's answer is no series of numbers") from None
    return _valid(samples)


def _valid(samples: tuple[Sample, ...]) -> tuple[Sample, ...]:
    if not samples:
        raise NoData("Prometheus's answer has no sample")
    bad = next(_bad(samples), None)
    if bad is not None:
        raise InvalidData(f"at {bad.at_s:.0f} the query gave {bad.rps}, which is no rate")
    return samples


def _bad(samples: Iterable[Sample]) -> Iterator[Sample]:
    return (s for s in samples if not (math.isfinite(s.at_s) and 0 <= s.rps < math.inf))


def _short(error: Exception) -> str:
    """One line, without the query's text around it."""
    return " ".join(str(error).split())[:200]
