"""The log of one service's cycles: each step that was taken, each refusal and failure while new."""

import logging
import re

from infadapter_operator.domain.steps import SetWeights
from infadapter_operator.reconcile import Cycle

_logger = logging.getLogger(__name__)
_VARIES = r"0x[0-9a-f]+|[0-9]+"  # at every cycle: ages, ports and places in memory


class CycleLog:
    """A step that is refused at every cycle is told once."""

    def __init__(self, service: str) -> None:
        self._service = service
        self._refused: set[str] = set()
        self._failure = ""

    def tell(self, seen: Cycle) -> None:
        for step in seen.steps:
            level = logging.DEBUG if isinstance(step, SetWeights) else logging.INFO
            _logger.log(level, "%s: %s", self._service, step)
        refused = {f"{type(r.step).__name__}: {r.message}" for r in seen.refusals}
        for refusal in sorted(refused - self._refused):
            _logger.warning("%s: refused: %s", self._service, refusal)
        self._refused = refused
        self._tell_failure(f"{seen.failure.reason}: {seen.failure.message}" if seen.failure else "")

    def _tell_failure(self, failure: str) -> None:
        """Why nothing is known or planned; the status has the reason, without what may vary."""
        words = re.sub(_VARIES, "", failure)
        if failure and words != self._failure:
            _logger.warning("%s: %s", self._service, failure)
        self._failure = words
