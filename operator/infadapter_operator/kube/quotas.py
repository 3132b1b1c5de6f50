"""
What the ResourceQuotas of a namespace let the servers of one service hold in all.

A quota counts all containers of a pod, and the pods of others; so what others use is taken off, and
read anew now and then.
"""

import logging
from collections.abc import Iterable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any

from infadapter_operator.domain.ports import PlatformUnavailable
from infadapter_operator.kube.client import Json, KubeApi
from infadapter_operator.kube.objects import Owner
from infadapter_operator.kube.paths import core
from infadapter_operator.kube.read import is_device, requests_beside
from infadapter_operator.kube.refusal import ApiRefusal
from infadapter_operator.kube.running import Running
from infadapter_operator.kube.statuses import part, parts, text
from infadapter_operator.periodic import is_due
from infadapter_operator.planning.capacity import held, total
from infadapter_operator.recurring import Recurring
from infadapter_profiles.quantities import InvalidQuantity, parse_amounts
from infadapter_solver.problem import CPU, Resources

READ_EVERY_S = 20.0

_SCOPES = frozenset({"NotTerminating", "NotBestEffort"})
"""Of every pod of ours: it may run for ever, and asks for CPU."""

_OF_CPU = ("cpu", "requests.cpu", "limits.cpu")
"""Ours may use as much as they ask for."""

_logger = logging.getLogger(__name__)


@dataclass(slots=True)
class Quotas:
    """Where they can't be listed none is known, and what they refuse is met when it is."""

    api: KubeApi
    owner: Owner
    _known: Mapping[str, Resources] = field(default_factory=dict)
    _read_at_s: float = float("-inf")
    _unread: Recurring = field(init=False)

    def __post_init__(self) -> None:
        about = f"{self.owner.namespace}/{self.owner.name}: quotas of its namespace not known"
        self._unread = Recurring(_logger, about)

    async def allowed(self, running: Iterable[Running], now_s: float) -> Mapping[str, Resources]:
        """
        By the quota's name. `running` has been read before: what goes in between is still in use
        by a quota, which learns of it later, so that nothing is counted that is not there.
        """
        if is_due(self._read_at_s, READ_EVERY_S, now_s):
            self._read_at_s = now_s
            await self._read(tuple(running))
        return self._known

    async def _read(self, running: tuple[Running, ...]) -> None:
        try:
            listed = await self.api.items(core(self.owner.namespace, "resourcequotas"))
        except PlatformUnavailable as error:
            self._unread.fails(str(error))
        except ApiRefusal as refusal:
            self._known = {}
            self._unread.fails(str(refusal))
        else:
            self._known = dict(_allowed(listed, running))
            self._unread.recovers()


def _allowed(
    listed: Iterable[Json], running: tuple[Running, ...]
) -> Iterator[tuple[str, Resources]]:
    """What a lost pod has nobody else can have yet, and it counts as somebody else's here."""
    pods = {pod.name: pod for one in running for pod in one.seen_pods() if not pod.is_lost}
    ours = held(pods.values())
    beside = total(
        requests_beside(pod["spec"], one.server.container)
        for one in running
        for pod in one.pods
        if pod["metadata"]["name"] in pods
    )
    for quota in filter(_counts_ours, listed):
        left = _left(part(quota, "status"))
        yield (
            quota["metadata"]["name"],
            {name: _with_ours(left[name], ours.get(name, 0), beside.get(name, 0)) for name in left},
        )


def _with_ours(left: int, ours: int, beside: int) -> int:
    """Of what is left, other containers of new pods take the part that they have of those there."""
    return ours + (left * ours // (ours + beside) if left > 0 and ours else left)


def _counts_ours(quota: Json) -> bool:
    """Of other scopes, such as a priority class, nothing is known here."""
    spec = part(quota, "spec")
    asked = list(parts(part(spec, "scopeSelector"), "matchExpressions"))
    scopes = {*(spec.get("scopes") or ()), *(text(one, "scopeName") for one in asked)}
    return scopes <= _SCOPES and all(text(one, "operator") == "Exists" for one in asked)


def _left(status: Mapping[str, Any]) -> Resources:
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
