"""What a ResourceQuota bounds, leaves and refuses of what may be planned: pure."""

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
"""Of every pod of ours: it may run for ever, and asks for CPU."""

_OF_CPU = ("cpu", "requests.cpu", "limits.cpu")
"""Ours may use as much as they ask for."""

_REFUSAL = re.compile(r"exceeded quota: (?P<name>[^,]+), requested: (?P<amounts>[^ ]+?)(?:,? |$)")


def counts_all_pods(quota: Json) -> bool:
    """Of other scopes, such as a priority class, nothing is known here."""
    spec = part(quota, "spec")
    asked = list(parts(part(spec, "scopeSelector"), "matchExpressions"))
    scopes = {*(spec.get("scopes") or ()), *(text(one, "scopeName") for one in asked)}
    return scopes <= _SCOPES and all(text(one, "operator") == "Exists" for one in asked)


def left_by(status: Mapping[str, Any]) -> Resources:
    """The least by all names that it has for a resource; nothing before it has been counted."""
    hard, used = _amounts(part(status, "hard")), _amounts(part(status, "used"))
    left = [(_resource(key), hard[key] - used[key]) for key in hard.keys() & used.keys()]
    return {name: min(amount for other, amount in left if other == name) for name, _ in left}


def _amounts(written: Mapping[str, Any]) -> dict[str, int]:
    """By its own names, those of what may be planned; a number beyond all reason bounds nothing."""
    found: dict[str, int] = {}
    for key, quantity in written.items():
        if name := _resource(key):
            with suppress(InvalidQuantity):
                found[key] = parse_amounts({name: quantity})[name]
    return found


def _resource(key: str) -> str:
    """Of pods: CPU by three names, devices by their requests; of anything else none."""
    if key in _OF_CPU:
        return CPU
    device = key.removeprefix("requests.")
    return device if device != key and is_device(device) else ""


def quota_that_refused(message: str) -> str | None:
    """For what may be planned, and nothing else: of that it is known when there is room again."""
    found = _REFUSAL.search(message)
    asked = found["amounts"].split(",") if found else []
    ours = asked and all(_resource(each.partition("=")[0]) for each in asked)
    return found["name"] if found and ours else None
