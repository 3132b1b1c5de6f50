"""
The only thing that changes while Envoy runs: which pods receive traffic, and with which weights.
Pure.

Converts backends to the resources of an EDS answer, and to data that is stored for routers that
start while the operator does not answer.
"""

import hashlib
import json
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Any

from infadapter_operator.domain.steps import Backend
from infadapter_solver.problem import Target

Json = dict[str, Any]

TYPE_URL = "type.googleapis.com/envoy.config.endpoint.v3.ClusterLoadAssignment"
NAMESPACE, FLOOR = "infadapter", "accuracy-floor"
"""Key of an endpoint's metadata that contains its accuracy floor."""

PODS = "pods"  # the cluster whose endpoints these are
REFUSALS = "refusals"  # the listener inside Envoy that answers when nothing is Ready
_REFUSE = {"endpoint": {"address": {"envoy_internal_address": {"server_listener_name": REFUSALS}}}}

_WHOLE = {"overprovisioning_factor": 1_000_000}  # in percent
"""
Overprovisioning factor, in percent, with which a single healthy pod of thousands counts as full
capacity. Traffic of ejected pods (`failing_pods`) then goes to the other pods, and none to those of
`last-good`.
"""


def resources(backends: Sequence[Backend]) -> list[Json]:
    """Return the EDS answer; if no pod has weight, it is the endpoint that refuses all."""
    serving = endpoints(backends) or [_REFUSE]
    assignment = {"cluster_name": PODS, "endpoints": [{"lb_endpoints": serving}]}
    return [{"@type": TYPE_URL, **assignment, "policy": _WHOLE}]


def version(backends: Iterable[Backend]) -> str:
    """
    Return a name for these weights: the same weights have the same name after a restart.

    The name contains the weights in the order of the pods. Routers echo it, and so tell a restarted
    operator what is in force (`reweighed`).
    """
    serving = sorted((b for b in backends if b.weight > 0), key=lambda b: (b.pod, b.address))
    told = [
        (b.pod, b.address, b.weight, *([floor] if (floor := _floor(b)) else [])) for b in serving
    ]
    digest = hashlib.sha256(json.dumps(told).encode()).hexdigest()[:16]
    return f"{digest}:{'.'.join(str(b.weight) for b in serving)}"


def reweighed(backends: Iterable[Backend], name: str) -> tuple[Backend, ...] | None:
    """Return these pods with the weights in a version name; None if it is of other pods."""
    ordered = sorted(backends, key=lambda backend: (backend.pod, backend.address))
    said = name.partition(":")[2].split(".")
    if len(said) != len(ordered) or not all(re.fullmatch("[1-9][0-9]{0,8}", w) for w in said):
        return None
    found = tuple(replace(b, weight=int(w)) for b, w in zip(ordered, said, strict=True))
    return found if version(found) == name else None


def remember(backends: Iterable[Backend]) -> Json:
    """Return the backends with traffic as data for the next start of the router."""
    return {
        "backends": [
            {
                "pod": backend.pod,
                "variant": backend.target.variant,
                "kind": backend.target.kind,
                "address": backend.address,
                "weight": backend.weight,
                **({"floor": backend.accuracy_floor} if backend.accuracy_floor else {}),
            }
            for backend in backends
            if backend.weight > 0
        ]
    }


def recall(last_good: Mapping[str, Any]) -> tuple[Backend, ...]:
    """Undo `remember`. Raises ValueError if the data is not what it wrote."""
    try:
        return tuple(_recalled(kept) for kept in last_good["backends"])
    except (KeyError, TypeError, ValueError, OverflowError) as error:
        raise ValueError(f"The remembered backends cannot be read: {error!r}.") from error


def _recalled(kept: Mapping[str, Any]) -> Backend:
    address = str(kept["address"])
    if not 0 < _host_port(address)[1] < 2**16:  # must fail here, not in Envoy
        raise ValueError(f"{address} has no port")
    return Backend(
        pod=str(kept["pod"]),
        target=Target(str(kept["variant"]), str(kept["kind"])),
        address=address,
        weight=int(kept["weight"]),
        accuracy_floor=float(kept.get("floor", 0.0)),
    )


def endpoints(backends: Iterable[Backend]) -> list[Json]:
    serving = [backend for backend in backends if backend.weight > 0 and backend.address]
    ordered = sorted(serving, key=lambda backend: backend.pod)
    return [endpoint(b.address, b.weight) | _metadata(b) for b in ordered]


def endpoint(address: str, weight: int = 1) -> Json:
    host, port = _host_port(address)
    return {"endpoint": {"address": socket(host, port)}, "load_balancing_weight": weight}


def _metadata(backend: Backend) -> Json:
    floor = _floor(backend)
    return {"metadata": {"filter_metadata": {NAMESPACE: {FLOOR: floor}}}} if floor else {}


def _floor(backend: Backend) -> str:
    return f"{backend.accuracy_floor:.5f}" if backend.accuracy_floor > 0 else ""


def _host_port(address: str) -> tuple[str, int]:
    host, _, port = address.rpartition(":")
    return host.strip("[]"), int(port)


def socket(host: str, port: int) -> Json:
    both = {"ipv4_compat": True} if host == "::" else {}
    return {"socket_address": {"address": host, "port_value": port, **both}}
