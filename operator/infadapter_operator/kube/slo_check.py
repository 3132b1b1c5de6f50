"""The condition SLOMet, measured at intervals because it is a mean over minutes."""

from infadapter_operator.api.status import InferenceServiceStatus
from infadapter_operator.kube.context import Context
from infadapter_operator.kube.objects import Owner
from infadapter_operator.periodic import is_due
from infadapter_operator.prometheus.client import slo_met_ratio
from infadapter_operator.prometheus.queries import met_query
from infadapter_operator.reconcile import Cycle
from infadapter_operator.reporting.condition import Condition
from infadapter_operator.reporting.conditions import slo_met

CHECK_EVERY_S = 15.0


class SloCheck:
    """Caches the last answer until it is queried again."""

    def __init__(self, context: Context, owner: Owner) -> None:
        self._context, self._owner = context, owner
        self._ratio: float | None = None
        self._at_s = float("-inf")

    async def condition(
        self, seen: Cycle, told: InferenceServiceStatus | None, *, is_counted: bool
    ) -> Condition:
        """Return the condition SLOMet; `told` is the previous status."""
        if not is_counted:
            self._ratio = None
        elif is_due(self._at_s, CHECK_EVERY_S, seen.now_s):
            query = met_query(self._owner.namespace, self._owner.name, seen.service.slo_s)
            self._at_s = seen.now_s
            self._ratio = await slo_met_ratio(self._context.prometheus, query, seen.now_s)
        conditions = told.conditions if told else ()
        missed = any((c.type, c.status) == ("SLOMet", "False") for c in conditions)
        return slo_met(seen.service, self._ratio, was_missed=missed)
