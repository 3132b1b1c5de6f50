"""
Envoy's bootstrap as plain data; what it polls for later is in `endpoints`.

Everything but the endpoints is in the bootstrap, so that a router that restarts while the operator
is down has a listener, routes and timeouts at once. Its one route leads to an aggregate cluster:
`pods`, whose endpoints the operator serves (EDS over REST), else `last-good`, which the bootstrap
remembers. An *empty* EDS answer would fall through to `last-good`, so "no pod is Ready" is an
endpoint as well: a listener inside the same Envoy that refuses with 503 and Retry-After.
"""

from collections.abc import Mapping
from typing import Any

from infadapter_operator.envoy.clusters import (
    ANY_POD,
    EXTENSIONS,
    LAST_GOOD,
    aggregate_cluster,
    header,
    pods_cluster,
    seconds,
    static_cluster,
    xds_cluster,
)
from infadapter_operator.envoy.endpoints import (
    PODS,
    REFUSALS,
    Json,
    endpoint,
    endpoints,
    recall,
    socket,
)
from infadapter_profiles.wire import (
    DEADLINE_HEADER,
    REFUSED_STATUS,
    RETRY_AFTER_HEADER,
    RETRY_AFTER_S,
)


def bootstrap(
    *,
    service_key: str,
    slo_s: float,
    xds_host: str,
    xds_port: int,
    listen_port: int,
    admin_port: int,
    stats_port: int | None = None,
    last_good: Mapping[str, Any] | None = None,
    refresh_s: float = 0.5,
    listen_host: str = "0.0.0.0",
) -> Json:
    """
    Return what `envoy --config-path` reads, as JSON-able data (JSON is YAML).

    `service_key` is "namespace/name"; `last_good` comes from `remember`. Start each router with a
    `--service-node` of its own. It asks for endpoints every 1 to 2 times `refresh_s`. Admin answers
    on 127.0.0.1 alone; `stats_port` opens /ready and /stats/prometheus, and nothing else, to all.
    """
    remembered = recall(last_good) if last_good else ()
    clusters = [
        aggregate_cluster(),
        pods_cluster(refresh_s),
        static_cluster(LAST_GOOD, endpoints(remembered), pool=True),
        xds_cluster(xds_host, xds_port),
    ]
    listeners = [_requests(service_key, slo_s, listen_host, listen_port), _refusals()]
    if stats_port is not None:
        clusters.append(static_cluster("admin", [endpoint(f"127.0.0.1:{admin_port}")]))
        listeners.append(_stats(listen_host, stats_port))
    return {
        "node": {"id": service_key, "cluster": service_key},
        "bootstrap_extensions": [_internal_listeners()],
        "admin": {"address": socket("127.0.0.1", admin_port)},
        "stats_config": _stats_config(slo_s),
        "static_resources": {"listeners": listeners, "clusters": clusters},
    }


# --- listeners -------------------------------------------------------------------------------


def _requests(service_key: str, slo_s: float, host: str, port: int) -> Json:
    """
    Route everything to the pods. Only a request that no pod has seen is tried again: a refusal is
    an answer, and what a pod may have begun is not repeated.
    """
    route = {
        "cluster": ANY_POD,
        "timeout": seconds(max(5.0, 4.0 * slo_s)),
        "retry_policy": {
            "retry_on": "connect-failure,refused-stream",
            "num_retries": 3,
            "retry_host_predicate": [
                {
                    "name": "envoy.retry_host_predicates.previous_hosts",
                    "typed_config": {
                        "@type": f"{EXTENSIONS}.retry.host.previous_hosts.v3.PreviousHostsPredicate"
                    },
                }
            ],
            "host_selection_retry_max_attempts": 5,
        },
    }
    routed = {
        "match": {"prefix": "/"},
        "route": route,
        "request_headers_to_add": [_deadline(slo_s)],
    }
    manager = _manager(service_key, [routed]) | {
        "use_remote_address": True,  # so that headers which steer Envoy are not taken from outside
        "normalize_path": True,
        "generate_request_id": False,
        "request_headers_timeout": "10s",
        "local_reply_config": _retry_later(),
    }
    return _listener("requests", socket(host, port), manager)


def _deadline(slo_s: float) -> Json:
    """Pods refuse what they can't answer within the service's SLO; clients may say otherwise."""
    return header(DEADLINE_HEADER, f"{1000 * slo_s:g}") | {"append_action": "ADD_IF_ABSENT"}


def _refusals() -> Json:
    body = '{"error": "No pod of this service is ready; try again in a second."}'
    refusal = {
        "match": {"prefix": "/"},
        "direct_response": {"status": REFUSED_STATUS, "body": {"inline_string": body}},
        "response_headers_to_add": [header(RETRY_AFTER_HEADER, str(RETRY_AFTER_S))],
    }
    manager = _manager(REFUSALS, [refusal])
    listener = {"name": REFUSALS, "internal_listener": {}}
    return listener | _filter_chains(manager)


def _stats(host: str, port: int) -> Json:
    readable = [
        {"match": {"path": path, "headers": [_only_get()]}, "route": {"cluster": "admin"}}
        for path in ("/stats/prometheus", "/ready")
    ]
    return _listener("stats", socket(host, port), _manager("stats", readable))


def _only_get() -> Json:
    return {"name": ":method", "string_match": {"exact": "GET"}}


def _listener(name: str, address: Json, manager: Json) -> Json:
    return {"name": name, "address": address} | _filter_chains(manager)


def _filter_chains(manager: Json) -> Json:
    return {"filter_chains": [{"filters": [{"name": "http", "typed_config": manager}]}]}


def _internal_listeners() -> Json:
    """Let a cluster's endpoint be a listener of this very Envoy."""
    kind = "bootstrap.internal_listener"
    return {
        "name": f"envoy.{kind}",
        "typed_config": {"@type": f"{EXTENSIONS}.{kind}.v3.InternalListener"},
    }


def _manager(stat_prefix: str, routes: list[Json]) -> Json:
    http = f"{EXTENSIONS}.filters"
    router = {"@type": f"{http}.http.router.v3.Router", "suppress_envoy_headers": True}
    return {
        "@type": f"{http}.network.http_connection_manager.v3.HttpConnectionManager",
        "stat_prefix": stat_prefix,
        "route_config": {"virtual_hosts": [{"name": "all", "domains": ["*"], "routes": routes}]},
        "http_filters": [{"name": "router", "typed_config": router}],
    }


def _retry_later() -> Json:
    """Give Envoy's own 503 (no pod could be reached) a Retry-After, as a pod's refusal has."""
    unavailable = {
        "comparison": {
            "op": "EQ",
            "value": {"default_value": REFUSED_STATUS, "runtime_key": "unavailable"},
        }
    }
    mapper = {
        "filter": {"status_code_filter": unavailable},
        "headers_to_add": [header(RETRY_AFTER_HEADER, str(RETRY_AFTER_S))],
    }
    return {"mappers": [mapper]}


# --- statistics ------------------------------------------------------------------------------


def _stats_config(slo_s: float) -> Json:
    """Keep what is read, with a bucket that ends exactly at the SLO (Envoy counts milliseconds)."""
    slo_ms = round(slo_s * 1000)
    factors = (0.05, 0.1, 0.2, 0.3, 0.5, 0.7, 0.85, 1.0, 1.2, 1.5, 2, 3, 5, 10)
    buckets = {"match": {"suffix": "rq_time"}, "buckets": [slo_ms * factor for factor in factors]}
    kept = ("http.", f"cluster.{PODS}.", f"cluster.{LAST_GOOD}.", "cluster.xds.", "server.")
    patterns = [{"prefix": prefix} for prefix in kept]
    return {
        "histogram_bucket_settings": [buckets],
        "stats_matcher": {"inclusion_list": {"patterns": patterns}},
    }
