"""
What Prometheus is asked, as PromQL.

Demand is arrivals at our router's listener, before anything is refused. `irate` over a window of
several scrapes follows the load within a scrape and outlives a counter's reset, but it goes on
answering for that whole window after the scrapes have stopped, so each series is also held against
the time of its last real sample.
"""

import math
from dataclasses import dataclass

MISSED_SCRAPES = 3
"""So many scrapes in a row that fail are stale data."""

WHAT, ARRIVED, REFUSED = "what", "arrived", "refused"
"""A label of what `delivered_query` gives, and its values."""


@dataclass(frozen=True, slots=True)
class Servers:
    """Pods of these Deployments; Prometheus scrapes them every `scrape_s` seconds, if at all."""

    namespace: str
    deployments: frozenset[str]
    scrape_s: float


def arrivals_query(namespace: str, service: str, scrape_s: float) -> str:
    """Requests per second that reach the router of a service, over all the router's pods."""
    return _rate_now(f"envoy_http_downstream_rq_total{_router(namespace, service)}", scrape_s)


def served_query(servers: Servers) -> str:
    """
    Requests per second that reach the servers, refused ones too: where the router is a gateway.
    The labels are those that Prometheus gives to what it finds in Kubernetes.
    """
    return _rate_now(f"infadapter_server_arrivals_total{{{_pods(servers)}}}", servers.scrape_s)


def delivered_query(servers: Servers, window_s: float) -> str:
    """
    By pod, requests per second that arrived and that were refused, in one vector: the label WHAT
    tells which. Over the last `window_s`, or longer where that holds too few scrapes for a rate.
    """
    fresh_s, range_s = fresh_for_s(servers.scrape_s), delivered_over_s(servers, window_s)
    counters = {
        ARRIVED: f"infadapter_server_arrivals_total{{{_pods(servers)}}}",
        REFUSED: f'infadapter_server_requests_total{{{_pods(servers)},code="503"}}',
    }
    return " or ".join(
        f"label_replace(sum by (pod) ({_fresh('rate', counter, range_s, fresh_s)}),"
        f' "{WHAT}", "{what}", "", "")'
        for what, counter in counters.items()
    )


def delivered_over_s(servers: Servers, window_s: float) -> int:
    """The time that `delivered_query` asks about."""
    return max(math.ceil(window_s), fresh_for_s(servers.scrape_s))


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


def fresh_for_s(scrape_s: float) -> int:
    """How old a sample may be; a scrape or two come late when a machine is busy."""
    return max(5, math.ceil(MISSED_SCRAPES * scrape_s))


def _rate_now(counter: str, scrape_s: float) -> str:
    fresh_s = fresh_for_s(scrape_s)
    range_s = max(15, fresh_s + math.ceil(2 * scrape_s))
    return f"sum({_fresh('irate', counter, range_s, fresh_s)})"


def _fresh(function: str, counter: str, range_s: int, fresh_s: int) -> str:
    """Both sides of `and` have all labels of the counter but its name, so they match one to one."""
    return f"{function}({counter}[{range_s}s]) and (time() - timestamp({counter}) <= {fresh_s})"


def _router(namespace: str, service: str) -> str:
    return f'{{envoy_http_conn_manager_prefix="{namespace}/{service}"}}'


def _pods(servers: Servers) -> str:
    names = "|".join(sorted(servers.deployments))
    return f'namespace="{servers.namespace}",pod=~"({names})-[a-z0-9]+-[a-z0-9]+"'
