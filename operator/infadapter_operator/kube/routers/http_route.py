"""
The HTTPRoute document: building it, and reading its status. Pure.

Whether a live route is as intended and in force follows from the two documents alone.
"""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from infadapter_operator.domain.names import service_labels, target_name
from infadapter_operator.kube.client import Json
from infadapter_operator.kube.messages import stable
from infadapter_operator.kube.objects import Owner
from infadapter_operator.kube.paths import custom
from infadapter_operator.kube.statuses import condition, part, parts, text
from infadapter_profiles.wire import FLOOR_HEADER, MODELS_PATH
from infadapter_solver.problem import Target

GATEWAY_GROUP, GATEWAY_VERSION = "gateway.networking.k8s.io", "v1"
MOST_WEIGHT = 1_000_000


def route_path(owner: Owner) -> str:
    return custom(GATEWAY_GROUP, GATEWAY_VERSION, owner.namespace, "httproutes", owner.name)


def build_route(
    owner: Owner,
    traffic: Mapping[str, Any],
    weights: Mapping[Target, int],
    floors: Mapping[str, float],
) -> Json:
    """
    Return the HTTPRoute. `traffic` is spec.traffic (parentRefs, hostnames).

    The rules are a single field and sent as a whole. An accuracy floor applies to all backends or
    none, since not every gateway supports filters per backend.
    """
    floor = min((floors.get(target.variant, 0.0) for target in weights), default=0.0)
    backends = [
        {"name": target_name(owner.name, target), "port": 80, "weight": weight}
        for target, weight in sorted(weights.items())
    ]
    match = {"path": {"type": "PathPrefix", "value": f"{MODELS_PATH}/{owner.name}"}}
    hostnames = traffic.get("hostnames")
    return {
        "apiVersion": f"{GATEWAY_GROUP}/{GATEWAY_VERSION}",
        "kind": "HTTPRoute",
        "metadata": {
            "name": owner.name,
            "namespace": owner.namespace,
            "labels": service_labels(owner.name),
            "ownerReferences": [owner.reference],
        },
        "spec": {
            "parentRefs": list(traffic["parentRefs"]),
            **({"hostnames": list(hostnames)} if hostnames else {}),
            "rules": [{"matches": [match], "backendRefs": backends, **_asking(floor)}],
        },
    }


def _asking(floor: float) -> Json:
    """
    Return the filter that adds the accuracy floor. Pods obey the highest of several such headers,
    so clients may raise the floor but not lower it.
    """
    header = {"name": FLOOR_HEADER, "value": f"{floor:.5f}"}
    change = {"type": "RequestHeaderModifier", "requestHeaderModifier": {"add": [header]}}
    return {"filters": [change]} if floor > 0 else {}


def covers(live: Any, ours: Any) -> bool:
    """
    Whether `live` contains everything in `ours`; fields that the API server filled in are no
    difference.
    """
    if isinstance(ours, Mapping):
        return isinstance(live, Mapping) and all(covers(live.get(k), v) for k, v in ours.items())
    if isinstance(ours, Sequence) and not isinstance(ours, str):
        same = isinstance(live, Sequence) and len(live) == len(ours)
        return same and all(covers(a, b) for a, b in zip(live, ours, strict=True))
    return bool(live == ours)


def says_the_same(live: Mapping[str, Any], ours: Mapping[str, Any]) -> bool:
    """Whether the route needs no update, also with respect to filters that must be removed."""
    asked, wanted = ([r.get("filters") or [] for r in s.get("rules") or ()] for s in (live, ours))
    return covers(live, ours) and covers(asked, wanted)


def in_force(route: Mapping[str, Any]) -> bool:
    """Whether every gateway obeys the current generation of the route."""
    generation = route["metadata"]["generation"]
    reported = _parents(route)
    return all(
        any(
            covers(parent.get("parentRef"), wanted)
            and all(_is_true(parent, kind, generation) for kind in ("Accepted", "ResolvedRefs"))
            for parent in reported
        )
        for wanted in route["spec"].get("parentRefs") or ()
    )


def was_accepted(route: Mapping[str, Any]) -> bool:
    """
    Whether a gateway has accepted some generation of the route. Before that it routes nothing.
    """
    return any(condition(parent, "Accepted").get("status") == "True" for parent in _parents(route))


def _parents(route: Mapping[str, Any]) -> tuple[Mapping[str, Any], ...]:
    """Return the status by gateway."""
    return tuple(parts(part(route, "status"), "parents"))


def refusals(route: Mapping[str, Any]) -> tuple[str, ...]:
    """Return why gateways do not accept the route, in their words."""
    told = (
        condition(parent, kind)
        for parent in _parents(route)
        for kind in ("Accepted", "ResolvedRefs")
    )
    refused = (one for one in told if one.get("status") == "False")
    return tuple(
        dict.fromkeys(stable(f"{text(c, 'reason')}: {text(c, 'message')}") for c in refused)
    )


def not_accepted(name: str, refused: Sequence[str]) -> str:
    """
    Return a sentence for a route that no gateway accepts; without a refusal no gateway has seen it.
    """
    why = "; ".join(refused) or "no gateway has answered: is there one of that name, and its class?"
    return f"HTTPRoute {name} is not accepted by its parentRefs: {why}"


def _is_true(parent: Mapping[str, Any], kind: str, generation: int) -> bool:
    found = condition(parent, kind)
    return found.get("status") == "True" and found.get("observedGeneration") == generation


def target_weights(
    route: Mapping[str, Any], owner: Owner, targets: Iterable[Target]
) -> dict[Target, int]:
    """Return the weights of a live route by target."""
    by_name = {target_name(owner.name, target): target for target in targets}
    rules = route["spec"].get("rules") or [{}]
    return {
        by_name[backend["name"]]: backend.get("weight", 1)
        for backend in rules[0].get("backendRefs") or ()
        if backend["name"] in by_name
    }
