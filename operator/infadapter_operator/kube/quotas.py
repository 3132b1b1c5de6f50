"""
What the ResourceQuotas of a namespace allow the servers of one service to hold.

A quota counts all containers of a pod, and pods of others as well. The use of others is subtracted
and read again periodically.
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
    """
    The quotas of one namespace. Without permission to list them none is known, and a quota is only
    met when it refuses a pod.
    """

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
        Return the allowed resources by quota name.

        `running` must have been read before: a pod removed in between still counts in the quota,
        which learns of it later, so nothing is assumed free too early. While a quota refuses a pod
        it is read in every cycle.
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
    """
    Yield what each quota allows. Pods of a lost node count as use by others, since the quota still
    counts them.
    """
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
    """
    Add what is left to what the service holds; sidecars of new pods take their proportional part of
    it.
    """
    return ours + (left * ours // (ours + beside) if left > 0 and ours else left)
