"""Status and events of one service: written when they differ from what was written last."""

import logging
from datetime import UTC, datetime
from uuid import uuid4

from infadapter_operator.api_status import InferenceServiceStatus
from infadapter_operator.bodies import BodyUnavailable
from infadapter_operator.kube_api import ApiRefusal, KubeApi, core, custom
from infadapter_operator.kube_events import Event, build_event, events_between
from infadapter_operator.kube_objects import Owner
from infadapter_operator.names import GROUP, SERVICES, VERSION

_logger = logging.getLogger(__name__)


class Reporter:
    """`status` is what the object had when the operator met it; None: nothing yet."""

    def __init__(self, api: KubeApi, owner: Owner, status: InferenceServiceStatus | None) -> None:
        self._api, self._owner, self.status = api, owner, status

    async def report(self, status: InferenceServiceStatus) -> None:
        """What can't be written now is tried again at the next look; the loop goes on."""
        if status == self.status:
            return
        path = custom(GROUP, VERSION, self._owner.namespace, SERVICES, self._owner.name, "status")
        body = status.model_dump(mode="json", exclude_none=True)
        try:
            await self._api.operate(path, [{"op": "add", "path": "/status", "value": body}])
            for event in events_between(self.status, status):
                await self._tell(event)
        except (ApiRefusal, BodyUnavailable) as error:
            _logger.warning("%s: status not written: %s", self._owner.name, error)
            return
        self.status = status

    async def _tell(self, event: Event) -> None:
        now = datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
        body = build_event(self._owner, event, now, f"{self._owner.name}.{uuid4().hex[:16]}")
        await self._api.create(core(self._owner.namespace, "events"), body)
