"""
What Prometheus is asked, as PromQL.

Load is arrivals at our router's listener, before anything is refused. `irate` over a window of
several scrapes follows the load within a scrape and outlives a counter's reset, but it goes on
answering for that whole window after the scrapes have stopped, so each series is also held against
the time of its last real sample.

One counter may be there several times: scraped by two jobs (a monitor and an annotation), through
two Services, or by two replicas of Prometheus whose data meet in one store. All of them say of
which pod it is, and differ in labels that everybody names as they like. So of what is one pod's the
most counts.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass

from infadapter_operator.domain.names import pod_names
from infadapter_profiles import wire

MISSED_SCRAPES = 3
"""So many scrapes in a row that fail are stale data."""

DISCOVERY_S = 10.0
"""It is told of a pod at once, hands that on every 5 s, and takes it up as often."""

WHAT, ARRIVED, MISSED, FAILED, ACCURACY = "what", "arrived", "missed", "failed", "accuracy"
"""A label of what `delivered_query` gives, and its values."""


@dataclass(frozen=True, slots=True)
class Servers:
    """
    Pods of these Deployments, and when an answer of theirs is late; Prometheus scrapes them every
    `scrape_s` seconds, if at all.
    """

    namespace: str
    deployments: frozenset[str]
    scrape_s: float
    slo_s: float


def arrivals_query(namespace: str, service: str, scrape_s: float) -> str:
    """Requests per second that reach the router of a service, over all the router's pods."""

    def arriving(pods: str) -> str:
        return _rate_now(
            f"{wire.ROUTER_ARRIVALS}{{{of_router(namespace, service)},{pods}}}", scrape_s
        )

    return f"sum({once_a_router(arriving)})"


def served_query(servers: Servers) -> str:
    """
    Requests per second that reach the servers, refused ones too: where the router is a gateway.
    The labels are those that Prometheus gives to what it finds in Kubernetes.
    """
    return f"sum({_served(servers)})"


def served_by_pod_query(servers: Servers) -> str:
    """The same, by pod: a pod that is lacking is scraped no longer, or not yet."""
    return f"sum by (pod) ({_served(servers)})"


def _served(servers: Servers) -> str:
    arriving = _rate_now(f"{wire.SERVER_ARRIVALS}{{{of_pods(servers)}}}", servers.scrape_s)
    return once_a_pod(arriving, "variant")


def delivered_query(servers: Servers, window_s: float) -> str:
    """
    By pod, requests per second that arrived, that were missed and that failed, and how accurate the
    operating points were that answered, in one vector: the label WHAT tells which. Over the last
    `window_s`, or longer where that holds too few scrapes for a rate.
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
    """The lowest bound that counts nothing as late which was in time, however it is written."""
    bound_s = next((bound_s for bound_s in wire.LATENCY_BOUNDS_S if bound_s >= slo_s), None)
    return "[+]Inf" if bound_s is None else f"{bound_s:g}([.]0)?"


def delivered_over_s(servers: Servers, window_s: float) -> int:
    """The time that `delivered_query` asks about."""
    return max(math.ceil(window_s), fresh_for_s(servers.scrape_s))


def met_query(namespace: str, service: str, slo_s: float) -> str:
    """
    The share of the last five minutes' requests that were answered 2xx within the SLO. What was
    not answered 2xx counts as if it had been fast, so this is never too high. All of them are
    counted by the same histogram: Envoy's histograms lag seconds behind its counters.
    """

    def counted(counter: str, *labels: str) -> str:
        return routers_increase(namespace, service, 300, counter, *labels)

    fast = counted(f"{wire.ROUTER_LATENCY}_bucket", f'le=~"{router_bound(slo_s)}"')
    other_classes = f'{wire.ROUTER_CODE_CLASS}!="2"'
    wrong = f"({counted(wire.ROUTER_ANSWERS, other_classes)} or vector(0))"
    asked = counted(f"{wire.ROUTER_LATENCY}_count")
    return f"clamp_min({fast} - {wrong}, 0) / ({asked} > 0)"


def fresh_for_s(scrape_s: float) -> int:
    """How old a sample may be; a scrape or two come late when a machine is busy."""
    return max(5, math.ceil(MISSED_SCRAPES * scrape_s))


def once_a_pod(values: str, *labels: str) -> str:
    """
    The most of those that are of one pod, by what else they are counted by. What a collector stands
    for in its own name has the pods' in other labels.
    """
    return f"max by ({', '.join(('pod', *_BEHIND, *labels))}) ({values})"


def once_a_router(values: Callable[[str], str], *labels: str) -> str:
    """The same where a scrape may not say of which pod it is: then its address tells."""
    named, nameless = values('pod!=""'), values('pod=""')
    by = ", ".join(("instance", *_BEHIND, *labels))
    addresses = f"max by ({by}) (({nameless}) unless on (instance) ({named}))"
    return f"({once_a_pod(named, *labels)} or {addresses})"


_BEHIND = ("exported_pod", "exported_instance")


def routers_increase(namespace: str, service: str, over_s: int, counter: str, *labels: str) -> str:
    """Of a counter of the router of a service, over all the router's pods."""
    ours = (of_router(namespace, service), *labels)

    def increase(pods: str) -> str:
        return f"increase({counter}{{{','.join((*ours, pods))}}}[{over_s}s])"

    return f"sum({once_a_router(increase, wire.ROUTER_CODE_CLASS)})"


def servers_increase(servers: Servers, over_s: int, counter: str, *labels: str) -> str:
    """Of a counter of the servers, over all of them."""
    series = f"{counter}{{{','.join((of_pods(servers), *labels))}}}"
    return f"sum({once_a_pod(f'increase({series}[{over_s}s])', 'variant', 'code')})"


def counted_within_s(scrape_s: float) -> float:
    """How long it takes Prometheus to find a pod, and to scrape it twice."""
    return DISCOVERY_S + 2 * scrape_s


def _rate_now(counter: str, scrape_s: float) -> str:
    fresh_s = fresh_for_s(scrape_s)
    range_s = max(15, fresh_s + math.ceil(2 * scrape_s))
    return _fresh("irate", counter, range_s, fresh_s)


def _fresh(function: str, counter: str, range_s: int, fresh_s: int) -> str:
    """Both sides of `and` have all labels of the counter but its name, so they match one to one."""
    return f"{function}({counter}[{range_s}s]) and (time() - timestamp({counter}) <= {fresh_s})"


def router_bound(slo_s: float) -> str:
    """Prometheus 3 writes 300 as 300.0."""
    return f"{round(slo_s * 1000)}([.]0)?"


def of_router(namespace: str, service: str) -> str:
    return f'{wire.ROUTER_SERVICE}="{namespace}/{service}"'


def of_pods(servers: Servers) -> str:
    names = "|".join(map(pod_names, sorted(servers.deployments)))
    return f'namespace="{servers.namespace}",pod=~"{names}"'
