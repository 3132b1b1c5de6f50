"""Status and events of one service, written only when they change."""

import json
import logging
from datetime import UTC, datetime
from uuid import uuid4

from infadapter_operator.api.status import InferenceServiceStatus
from infadapter_operator.domain.names import GROUP, SERVICES, VERSION
from infadapter_operator.domain.ports import (
    Conflict,
    PlatformUnavailable,
    QuotaExceeded,
    StepRefused,
)
from infadapter_operator.domain.steps import SetWeights
from infadapter_operator.kube.client import Json, KubeApi
from infadapter_operator.kube.events import build_event
from infadapter_operator.kube.objects import Owner
from infadapter_operator.kube.paths import core, custom
from infadapter_operator.kube.refusal import ApiRefusal
from infadapter_operator.kube.routers.objects import service_key
from infadapter_operator.reconcile import Cycle
from infadapter_operator.recurring import Recurring
from infadapter_operator.reporting.condition import Condition, Status
from infadapter_operator.reporting.events import Event, events_between
from infadapter_operator.reporting.pod_conditions import WITHIN_QUOTA
from infadapter_operator.reporting.signals import limiting_quotas

SURGE_MARGIN = 0.2
"""
How much more than the requested surge a quota must leave before it counts as sufficient again.
"""

_logger = logging.getLogger(__name__)


def condition_of(refused: StepRefused) -> Condition:
    """Return the condition for a required object that cannot be created."""
    if isinstance(refused, Conflict):
        return Condition(
            type="Conflict", status=Status.TRUE, reason="OwnedElsewhere", message=str(refused)
        )
    kind = "CapacityAvailable" if isinstance(refused, QuotaExceeded) else "SpecValid"
    return Condition(type=kind, status=Status.FALSE, reason=refused.reason, message=str(refused))


def shortage_of(refused: StepRefused) -> Condition:
    """Return the condition for pods that a Deployment may not create."""
    return Condition(
        type="CapacityAvailable",
        status=Status.FALSE,
        reason=refused.reason if isinstance(refused, QuotaExceeded) else "PodsRefused",
        message=str(refused),
    )


def calm(
    seen: Cycle, found: tuple[Condition, ...], before: InferenceServiceStatus | None
) -> tuple[Condition, ...]:
    """
    Return the conditions of a cycle, keeping earlier ones where the change is not worth a status
    write.
    """
    kept = {
        c.type: Condition(type=c.type, status=Status(c.status), reason=c.reason, message=c.message)
        for c in (before.conditions if before else ())
    }
    return tuple(
        kept[c.type] if c.type in kept and _is_no_news(seen, kept[c.type], c) else c for c in found
    )


def _is_no_news(seen: Cycle, was: Condition, now: Condition) -> bool:
    """
    Whether a change is not worth a status write.

    Weights that follow the load are no progress while nothing else moves. And a quota that is used
    by others as well fluctuates around the requested surge.
    """
    if now.type == "Progressing":
        only_weights = seen.steps and all(isinstance(step, SetWeights) for step in seen.steps)
        return was.status is Status.FALSE and bool(only_weights) and not seen.plan_changed
    is_over = (was.reason, now.reason) == (WITHIN_QUOTA, "Available")
    return is_over and bool(limiting_quotas(seen, margin=SURGE_MARGIN))


def status_in(document: Json) -> InferenceServiceStatus | None:
    """Return the status written before; None if it is absent or unreadable."""
    try:
        return InferenceServiceStatus.model_validate_json(json.dumps(document["status"]))
    except (KeyError, ValueError):
        return None


class Reporter:
    """
    Writes status and events. `status` is the status of the object when the operator found it; None
    if empty.
    """

    def __init__(self, api: KubeApi, owner: Owner, status: InferenceServiceStatus | None) -> None:
        self._api, self._owner, self.status = api, owner, status
        self._unwritten = Recurring(_logger, f"{service_key(owner)}: status not written")

    async def report(self, status: InferenceServiceStatus) -> bool:
        """
        Write the status and return whether the object has it now. A failed write is retried in the
        next cycle.
        """
        if status == self.status:
            self._unwritten.recovers()
            return True
        path = custom(GROUP, VERSION, self._owner.namespace, SERVICES, self._owner.name, "status")
        body = status.model_dump(mode="json", exclude_none=True)
        try:
            await self._api.operate(path, [{"op": "add", "path": "/status", "value": body}])
        except (ApiRefusal, PlatformUnavailable) as error:
            self._unwritten.fails(str(error))
            return False
        self._unwritten.recovers()
        before, self.status = self.status, status
        for event in events_between(before, status):
            await self._tell(event)
        return True

    async def _tell(self, event: Event) -> None:
        """
        Create an event, without a retry: a quota on events would otherwise be hit in every cycle.
        """
        now = datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
        body = build_event(self._owner, event, now, f"{self._owner.name}.{uuid4().hex[:16]}")
        try:
            await self._api.create(core(self._owner.namespace, "events"), body)
        except (ApiRefusal, PlatformUnavailable) as error:
            _logger.warning(
                "%s: event %s not written: %s", service_key(self._owner), event.reason, error
            )
