"""Parse ResourceQuotas: what they limit, leave and refuse of plannable resources. Pure."""

import re
from collections.abc import Mapping
from contextlib import suppress
from typing import Any

from infadapter_operator.kube.client import Json
from infadapter_operator.kube.read import is_device
from infadapter_operator.kube.statuses import part, parts, text
from infadapter_profiles.quantities import InvalidQuantity, parse_amounts
from infadapter_solver.problem import CPU, Resources

_SCOPES = frozenset({"NotTerminating", "NotBestEffort"})
"""Scopes that include every pod of a service: pods without a deadline that request CPU."""

_OF_CPU = ("cpu", "requests.cpu", "limits.cpu")
"""Quota names of CPU. Requests equal limits, so all three apply."""

_REFUSAL = re.compile(r"exceeded quota: (?P<name>[^,]+), requested: (?P<amounts>[^ ]+?)(?:,? |$)")


def counts_all_pods(quota: Json) -> bool:
    """Whether the quota counts all pods. Other scopes, such as a priority class, are ignored."""
    spec = part(quota, "spec")
    asked = list(parts(part(spec, "scopeSelector"), "matchExpressions"))
    scopes = {*(spec.get("scopes") or ()), *(text(one, "scopeName") for one in asked)}
    return scopes <= _SCOPES and all(text(one, "operator") == "Exists" for one in asked)


def left_by(status: Mapping[str, Any]) -> Resources:
    """
    Return what the quota leaves by resource: the least over all names of a resource. Empty until
    the quota has been counted.
    """
    hard, used = _amounts(part(status, "hard")), _amounts(part(status, "used"))
    left = [(_resource(key), hard[key] - used[key]) for key in hard.keys() & used.keys()]
    return {name: min(amount for other, amount in left if other == name) for name, _ in left}


def _amounts(written: Mapping[str, Any]) -> dict[str, int]:
    """Return the amounts of plannable resources by quota name; unparsable ones are ignored."""
    found: dict[str, int] = {}
    for key, quantity in written.items():
        if name := _resource(key):
            with suppress(InvalidQuantity):
                found[key] = parse_amounts({name: quantity})[name]
    return found


def _resource(key: str) -> str:
    """
    Return the resource that a quota name limits: CPU has three names, devices only requests; "" for
    others.
    """
    if key in _OF_CPU:
        return CPU
    device = key.removeprefix("requests.")
    return device if device != key and is_device(device) else ""


def quota_that_refused(message: str) -> str | None:
    """
    Return the quota named by a refusal that concerns plannable resources only, so that it is known
    when it has room again; else None.
    """
    found = _REFUSAL.search(message)
    asked = found["amounts"].split(",") if found else []
    ours = asked and all(_resource(each.partition("=")[0]) for each in asked)
    return found["name"] if found and ours else None
