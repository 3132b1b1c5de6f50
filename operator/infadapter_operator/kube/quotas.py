"""
What the ResourceQuotas of a namespace let the servers of one service hold in all.

A quota counts all containers of a pod, and the pods of others; so what others use is taken off, and
read anew now and then.
"""

import logging
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field

from infadapter_operator.domain.ports import PlatformUnavailable
from infadapter_operator.kube.client import Json, KubeApi
from infadapter_operator.kube.objects import Owner
from infadapter_operator.kube.paths import core
from infadapter_operator.kube.quota_status import counts_all_pods, left_by
from infadapter_operator.kube.read import requests_beside
from infadapter_operator.kube.refusal import ApiRefusal
from infadapter_operator.kube.running import Running
from infadapter_operator.kube.statuses import part
from infadapter_operator.periodic import is_due
from infadapter_operator.planning.capacity import held, total
from infadapter_operator.recurring import Recurring
from infadapter_solver.problem import Resources

READ_EVERY_S = 20.0

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
        by a quota, which learns of it later, so that nothing is counted that is not there. At every
        look while one refuses a pod.
        """
        there = tuple(running)
        waits = any(one.refused_by for one in there)
        if waits or is_due(self._read_at_s, READ_EVERY_S, now_s):
            self._read_at_s = now_s
            await self._read(there)
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
    for quota in filter(counts_all_pods, listed):
        left = left_by(part(quota, "status"))
        yield (
            quota["metadata"]["name"],
            {name: _with_ours(left[name], ours.get(name, 0), beside.get(name, 0)) for name in left},
        )


def _with_ours(left: int, ours: int, beside: int) -> int:
    """Of what is left, other containers of new pods take the part that they have of those there."""
    return ours + (left * ours // (ours + beside) if left > 0 and ours else left)
