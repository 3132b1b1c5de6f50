"""
The log of one service's cycles: every step taken, and refusals and failures while they are new.
"""

import logging
import time
from collections.abc import Callable

from infadapter_operator.domain.steps import SetWeights
from infadapter_operator.reconcile import Cycle
from infadapter_operator.recurring import Recurring

_logger = logging.getLogger(__name__)


class CycleLog:
    """Logs a recurring refusal or failure once, and then at growing intervals."""

    def __init__(self, service: str, clock: Callable[[], float] = time.monotonic) -> None:
        self._service = service
        self._refused = Recurring(_logger, f"{service}: refused", clock)
        self._failed = Recurring(_logger, service, clock)

    def tell(self, seen: Cycle) -> None:
        for step in seen.steps:
            level = logging.DEBUG if isinstance(step, SetWeights) else logging.INFO
            _logger.log(level, "%s: %s", self._service, step)
        for refusal in sorted({f"{type(r.step).__name__}: {r.message}" for r in seen.refusals}):
            self._refused.fails(refusal)
        if not seen.refusals:
            self._refused.recovers()
        if seen.failure:
            self._failed.fails(f"{seen.failure.reason}: {seen.failure.message}")
        else:
            self._failed.recovers()
