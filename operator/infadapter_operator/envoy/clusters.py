"""
The clusters of the bootstrap: the pods in force, those remembered, and how requests are balanced.

Requests are routed to the aggregate cluster by its name. So neither the set of pods nor the source
of their addresses changes a listener or a route.
"""

import ipaddress

from infadapter_operator.envoy.endpoints import FLOOR, NAMESPACE, PODS, Json, socket
from infadapter_operator.envoy.failing_pods import failures, outlier_detection
from infadapter_profiles.wire import FLOOR_HEADER

LAST_GOOD, ANY_POD = "last-good", "service"
EXTENSIONS = "type.googleapis.com/envoy.extensions"
_MANY = 100_000  # pods' schedulers limit connections and queues, not the router


def aggregate_cluster() -> Json:
    order = {"@type": f"{EXTENSIONS}.clusters.aggregate.v3.ClusterConfig"}
    return {
        "name": ANY_POD,
        "connect_timeout": "1s",
        "lb_policy": "CLUSTER_PROVIDED",
        "cluster_type": {
            "name": "envoy.clusters.aggregate",
            "typed_config": order | {"clusters": [PODS, LAST_GOOD]},
        },
        **_http(
            {
                "http_filters": [_floor(), _to_the_pod()],  # upstream filters know the selected pod
                "outlier_detection": failures(),  # the aggregate's matcher is the one that is used
            }
        ),
    }


def pods_cluster(refresh_s: float) -> Json:
    source = {
        "api_type": "REST",
        "transport_api_version": "V3",
        "cluster_names": ["xds"],
        "refresh_delay": seconds(refresh_s),
        "request_timeout": "2s",
    }
    config = {
        "resource_api_version": "V3",
        "initial_fetch_timeout": "2s",  # then it starts with the remembered pods
        "api_config_source": source,
    }
    return {
        "name": PODS,
        "type": "EDS",
        "eds_cluster_config": {"service_name": PODS, "eds_config": config},
    } | _pool()


def _pool() -> Json:
    """
    Return smooth weighted round robin without queues or circuit breakers in the router.

    Idle connections close after a second, before any common server closes them, so that no request
    meets a closing connection.
    """
    limits = ("max_connections", "max_pending_requests", "max_requests", "max_retries")
    return {
        "connect_timeout": "1s",
        "lb_policy": "ROUND_ROBIN",
        "common_lb_config": {"healthy_panic_threshold": {"value": 0}},
        "circuit_breakers": {"thresholds": [dict.fromkeys(limits, _MANY)]},
        "outlier_detection": outlier_detection(),
        **_http(
            {
                "common_http_protocol_options": {"idle_timeout": "1s"},
                "outlier_detection": failures(),
            }
        ),
    }


def _http(options: Json) -> Json:
    kind = "upstreams.http.v3.HttpProtocolOptions"
    given = {
        "@type": f"{EXTENSIONS}.{kind}",
        "explicit_http_config": {"http_protocol_options": {}},
    }
    return {"typed_extension_protocol_options": {f"envoy.extensions.{kind}": given | options}}


def _floor() -> Json:
    """
    Return the filter that adds the accuracy floor from the endpoint's metadata.

    Pods obey the highest of several such headers, so clients may raise the floor but not lower it.
    Since it is part of the endpoint, a floor changes like a weight and needs no restart. No floor,
    no header.
    """
    value = f"%UPSTREAM_METADATA({NAMESPACE}:{FLOOR})%"
    added = header(FLOOR_HEADER, value) | {"append_action": "APPEND_IF_EXISTS_OR_ADD"}
    kind = f"{EXTENSIONS}.filters.http.header_mutation.v3.HeaderMutation"
    mutations = {"request_mutations": [{"append": added}]}
    return {"name": "floor", "typed_config": {"@type": kind, "mutations": mutations}}


def _to_the_pod() -> Json:
    kind = f"{EXTENSIONS}.filters.http.upstream_codec.v3.UpstreamCodec"
    return {"name": "pod", "typed_config": {"@type": kind}}


def static_cluster(name: str, endpoints: list[Json], *, pool: bool = False) -> Json:
    assignment = {"cluster_name": name, "endpoints": [{"lb_endpoints": endpoints}]}
    options = _pool() if pool else {"connect_timeout": "1s"}
    return {"name": name, "type": "STATIC", "load_assignment": assignment} | options


def xds_cluster(host: str, port: int) -> Json:
    assignment = {
        "cluster_name": "xds",
        "endpoints": [{"lb_endpoints": [{"endpoint": {"address": socket(host, port)}}]}],
    }
    return {
        "name": "xds",
        "type": "STATIC" if _is_ip(host) else "STRICT_DNS",
        "dns_lookup_family": "V4_PREFERRED",
        "connect_timeout": "1s",
        "load_assignment": assignment,
    }


def _is_ip(host: str) -> bool:
    try:
        ipaddress.ip_address(host)
    except ValueError:
        return False
    return True


def header(key: str, value: str) -> Json:
    return {"header": {"key": key, "value": value}}


def seconds(duration_s: float) -> str:
    return f"{duration_s:.3f}s"
