"""
The PromQL queries.

The load is the arrivals at our router's listener, before anything is refused. `irate` over a window
of several scrapes follows the load within a scrape and survives counter resets. But it keeps
answering for the whole window after scrapes have stopped, so each series is also compared with the
time of its last real sample.

One counter may exist several times: scraped by two jobs (a monitor and an annotation), through two
Services, or by two replicas of Prometheus that write into one store. All copies name the pod, and
differ in labels whose names are arbitrary. So the maximum over the series of one pod counts.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass

from infadapter_operator.domain.names import pod_names
from infadapter_profiles import wire

MISSED_SCRAPES = 3
"""Number of consecutive failed scrapes after which data is stale."""

DISCOVERY_S = 10.0
"""Seconds until Prometheus scrapes a new pod: discovery and reload happen every 5 s each."""

WHAT, ARRIVED, MISSED, FAILED, ACCURACY = "what", "arrived", "missed", "failed", "accuracy"
"""Label of `delivered_query`'s result, and its values."""


@dataclass(frozen=True, slots=True)
class Servers:
    """
    The pods of these Deployments, and the SLO after which their answers are late. Prometheus
    scrapes them every `scrape_s` seconds, if at all.
    """

    namespace: str
    deployments: frozenset[str]
    scrape_s: float
    slo_s: float


def arrivals_query(namespace: str, service: str, scrape_s: float) -> str:
    """
    Return the query for requests per second at the router of a service, over all of the router's
    pods.
    """

    def arriving(pods: str) -> str:
        return _rate_now(
            f"{wire.ROUTER_ARRIVALS}{{{of_router(namespace, service)},{pods}}}", scrape_s
        )

    return f"sum({once_a_router(arriving)})"


def served_query(servers: Servers) -> str:
    """
    Return the query for requests per second at the servers, refused ones included, for services
    behind a gateway. The labels are those of Prometheus' Kubernetes discovery.
    """
    return f"sum({_served(servers)})"


def served_by_pod_query(servers: Servers) -> str:
    """Return the same query by pod. A missing pod is no longer scraped, or not yet."""
    return f"sum by (pod) ({_served(servers)})"


def _served(servers: Servers) -> str:
    arriving = _rate_now(f"{wire.SERVER_ARRIVALS}{{{of_pods(servers)}}}", servers.scrape_s)
    return once_a_pod(arriving, "variant")


def delivered_query(servers: Servers, window_s: float) -> str:
    """
    Return the query for requests per second by pod that arrived, were missed and failed, and the
    mean accuracy of the operating points that answered, in one vector labelled by WHAT.

    The rates are over the last `window_s`, or longer if that contains too few scrapes.
    """

    def rate(counter: str, *labels: str) -> str:
        series = f"{counter}{{{','.join((of_pods(servers), *labels))}}}"
        fresh_s = fresh_for_s(servers.scrape_s)
        fresh = _fresh("rate", series, delivered_over_s(servers, window_s), fresh_s)
        return f"sum by (pod) ({once_a_pod(fresh, 'variant', 'code')})"

    in_time = rate(f"{wire.SERVER_LATENCY}_bucket", f'le=~"{bucket_bound(servers.slo_s)}"')
    late = f"clamp_min({rate(f'{wire.SERVER_LATENCY}_count')} - {in_time}, 0)"
    refused = rate(wire.SERVER_REQUESTS, f'code="{wire.REFUSED_STATUS}"')
    failed = rate(wire.SERVER_REQUESTS, 'code=~"5.."', f'code!="{wire.REFUSED_STATUS}"')
    answers = rate(f"{wire.SERVER_ACCURACY}_count")
    parts = {
        ARRIVED: rate(wire.SERVER_ARRIVALS),
        MISSED: f"{refused} + {late}",
        FAILED: failed,
        ACCURACY: f"{rate(f'{wire.SERVER_ACCURACY}_sum')} / ({answers} > 0)",
    }
    return " or ".join(
        f'label_replace({rates}, "{WHAT}", "{what}", "", "")' for what, rates in parts.items()
    )


def bucket_bound(slo_s: float) -> str:
    """
    Return a pattern for the lowest bucket bound that counts no answer in time as late, in any
    notation.
    """
    bound_s = next((bound_s for bound_s in wire.LATENCY_BOUNDS_S if bound_s >= slo_s), None)
    return "[+]Inf" if bound_s is None else f"{bound_s:g}([.]0)?"


def delivered_over_s(servers: Servers, window_s: float) -> int:
    """Return the window of `delivered_query`, s."""
    return max(math.ceil(window_s), fresh_for_s(servers.scrape_s))


def met_query(namespace: str, service: str, slo_s: float) -> str:
    """
    Return the query for the share of requests of the last five minutes answered 2xx within the SLO.

    Other answers count as if they were fast and are subtracted, so the share is never too high.
    Everything is counted by the same histogram, since Envoy's histograms lag seconds behind its
    counters.
    """

    def counted(counter: str, *labels: str) -> str:
        return routers_increase(namespace, service, 300, counter, *labels)

    fast = counted(f"{wire.ROUTER_LATENCY}_bucket", f'le=~"{router_bound(slo_s)}"')
    other_classes = f'{wire.ROUTER_CODE_CLASS}!="2"'
    wrong = f"({counted(wire.ROUTER_ANSWERS, other_classes)} or vector(0))"
    asked = counted(f"{wire.ROUTER_LATENCY}_count")
    return f"clamp_min({fast} - {wrong}, 0) / ({asked} > 0)"


def fresh_for_s(scrape_s: float) -> int:
    """Return how old a sample may be, s; a scrape or two may be late on a busy machine."""
    return max(5, math.ceil(MISSED_SCRAPES * scrape_s))


def once_a_pod(values: str, *labels: str) -> str:
    """
    Return the maximum over the series of one pod. Collectors that expose pods under their own name
    have the pods in `exported_` labels.
    """
    return f"max by ({', '.join(('pod', *_BEHIND, *labels))}) ({values})"


def once_a_router(values: Callable[[str], str], *labels: str) -> str:
    """
    Return the same for scrapes that may lack a pod label; then the address identifies the pod.
    """
    named, nameless = values('pod!=""'), values('pod=""')
    by = ", ".join(("instance", *_BEHIND, *labels))
    addresses = f"max by ({by}) (({nameless}) unless on (instance) ({named}))"
    return f"({once_a_pod(named, *labels)} or {addresses})"


_BEHIND = ("exported_pod", "exported_instance")


def routers_increase(namespace: str, service: str, over_s: int, counter: str, *labels: str) -> str:
    """Return the increase of a counter of the service's router, over all of the router's pods."""
    ours = (of_router(namespace, service), *labels)

    def increase(pods: str) -> str:
        return f"increase({counter}{{{','.join((*ours, pods))}}}[{over_s}s])"

    return f"sum({once_a_router(increase, wire.ROUTER_CODE_CLASS)})"


def servers_increase(servers: Servers, over_s: int, counter: str, *labels: str) -> str:
    """Return the increase of a counter of the servers, over all of them."""
    series = f"{counter}{{{','.join((of_pods(servers), *labels))}}}"
    return f"sum({once_a_pod(f'increase({series}[{over_s}s])', 'variant', 'code')})"


def counted_within_s(scrape_s: float) -> float:
    """Return the time until Prometheus has found a pod and scraped it twice, s."""
    return DISCOVERY_S + 2 * scrape_s


def _rate_now(counter: str, scrape_s: float) -> str:
    fresh_s = fresh_for_s(scrape_s)
    range_s = max(15, fresh_s + math.ceil(2 * scrape_s))
    return _fresh("irate", counter, range_s, fresh_s)


def _fresh(function: str, counter: str, range_s: int, fresh_s: int) -> str:
    """
    Return the function restricted to fresh series. Both sides of `and` have the same labels, so
    they match one to one.
    """
    return f"{function}({counter}[{range_s}s]) and (time() - timestamp({counter}) <= {fresh_s})"


def router_bound(slo_s: float) -> str:
    """Return a pattern for the bound, which Prometheus 3 writes as 300.0 instead of 300."""
    return f"{round(slo_s * 1000)}([.]0)?"


def of_router(namespace: str, service: str) -> str:
    return f'{wire.ROUTER_SERVICE}="{namespace}/{service}"'


def of_pods(servers: Servers) -> str:
    names = "|".join(map(pod_names, sorted(servers.deployments)))
    return f'namespace="{servers.namespace}",pod=~"{names}"'
