"""
Outcomes of requests by interval: the PromQL query and the parsing of its result.

Our router counts all answers and their latency, but only by status class. Failures (500) are told
from refusals (503) where the servers are scraped; otherwise both count as refused. Behind a gateway
only the servers count.
"""

import math
from collections.abc import Iterator
from typing import Any

from infadapter_operator.domain.error_budget import Answers, answers_told
from infadapter_operator.domain.load import QueryFailed
from infadapter_operator.prometheus.queries import (
    WHAT,
    Servers,
    bucket_bound,
    router_bound,
    routers_increase,
    servers_increase,
)
from infadapter_profiles import wire

LEAST_INTERVAL_S, SCRAPES_AN_INTERVAL = 15, 4
"""
Shortest interval, s, and scrapes per interval, for which an increase has little extrapolation
error.
"""

TOLD = (ANSWERED, LATE, REFUSED, FAILED) = ("answered", "late", "refused", "failed")


def counted_over_s(scrape_s: float) -> int:
    """Return the length of an interval, s."""
    return max(LEAST_INTERVAL_S, math.ceil(SCRAPES_AN_INTERVAL * scrape_s))


def answers_query(servers: Servers, service: str) -> str:
    """
    Return the query for requests of the interval that ends at the evaluation time, as one vector
    labelled by WHAT.
    """
    over_s = counted_over_s(servers.scrape_s)

    def over(counter: str, *labels: str) -> str:
        return routers_increase(servers.namespace, service, over_s, counter, *labels)

    fast = over(f"{wire.ROUTER_LATENCY}_bucket", f'le=~"{router_bound(servers.slo_s)}"')
    answered = over(f"{wire.ROUTER_LATENCY}_count")
    fifth = _or_none(over(wire.ROUTER_ANSWERS, f'{wire.ROUTER_CODE_CLASS}="5"'))
    others = over(wire.ROUTER_ANSWERS, f'{wire.ROUTER_CODE_CLASS}!~"2|5"')
    wrong = _or_none(servers_increase(servers, over_s, wire.SERVER_REQUESTS, _FAILURES))
    return _by_what(
        {
            ANSWERED: answered,
            LATE: f"clamp_min({answered} - {fast}, 0)",
            REFUSED: f"clamp_min({fifth} - {wrong}, 0)",
            FAILED: f"{_or_none(others)} + {wrong}",
        }
    )


def served_answers_query(servers: Servers) -> str:
    """Return the same query over the servers' counters, for services behind a gateway."""

    def over(counter: str, *labels: str) -> str:
        return servers_increase(servers, counted_over_s(servers.scrape_s), counter, *labels)

    fast = over(f"{wire.SERVER_LATENCY}_bucket", f'le=~"{bucket_bound(servers.slo_s)}"')
    refused = over(wire.SERVER_REQUESTS, f'code="{wire.REFUSED_STATUS}"')
    return _by_what(
        {
            ANSWERED: over(wire.SERVER_REQUESTS),
            LATE: f"clamp_min({over(f'{wire.SERVER_LATENCY}_count')} - {fast}, 0)",
            REFUSED: _or_none(refused),
            FAILED: _or_none(over(wire.SERVER_REQUESTS, _FAILURES)),
        }
    )


_FAILURES = f'code!~"2..|{wire.REFUSED_STATUS}"'


def _or_none(counted: str) -> str:
    """Return 0 for a counter that does not exist yet."""
    return f"({counted} or vector(0))"


def _by_what(parts: dict[str, str]) -> str:
    return " or ".join(
        f'label_replace({counted}, "{WHAT}", "{what}", "", "")' for what, counted in parts.items()
    )


def answers_of(matrix: object, over_s: float) -> tuple[Answers, ...]:
    """Return the complete intervals, oldest first. Raises QueryFailed."""
    if not isinstance(matrix, list):
        raise QueryFailed("Prometheus's answer is no list of series")
    try:
        counts = {(what, at_s): count for what, at_s, count in _counts(matrix)}
    except (KeyError, TypeError, ValueError, OverflowError):
        raise QueryFailed("Prometheus's answer is no series of counts") from None
    moments_s = sorted({at_s for _, at_s in counts})
    return tuple(
        answers_told(at_s, over_s, **{what: counts[what, at_s] for what in TOLD})
        for at_s in moments_s
        if all((what, at_s) in counts for what in TOLD)
    )


def _counts(matrix: list[Any]) -> Iterator[tuple[str, float, float]]:
    for series in matrix:
        what = series["metric"][WHAT]
        for at_s, text in series["values"]:
            count = float(text)
            if 0 <= count < math.inf:
                yield what, float(at_s), count
