"""Batch size limits for policies without admission."""

from collections import defaultdict
from dataclasses import dataclass, field

from infadapter_scheduler.model import Model


@dataclass(frozen=True, slots=True, order=True)
class Waiting:
    """A queued request with its key: its arrival time or its deadline."""

    key_s: float
    number: int
    model: str = field(compare=False)
    slo_s: float = field(compare=False)


class BatchLimit:
    """The largest batch; may adapt to what ran."""

    def most(self, model: Model) -> int:
        return max(model.execution_s)

    def learn(self, model: Model, ran: tuple[Waiting, ...], took_s: float) -> None:
        """Do nothing, unless the limit adapts."""


class One(BatchLimit):
    """No batching."""

    def most(self, model: Model) -> int:
        return 1


class AdditiveIncrease(BatchLimit):
    """
    Clipper's batching (NSDI'17): one more after each full batch within the SLO, a tenth less after
    each that took longer.
    """

    def __init__(self) -> None:
        self._limits: dict[str, float] = defaultdict(lambda: 1.0)

    def most(self, model: Model) -> int:
        return int(self._limits[model.name])

    def learn(self, model: Model, ran: tuple[Waiting, ...], took_s: float) -> None:
        limit = self._limits[model.name]
        if took_s > ran[0].slo_s:
            self._limits[model.name] = max(1.0, 0.9 * limit)
        elif 2 * len(ran) > limit:
            self._limits[model.name] = min(float(max(model.execution_s)), limit + 1.0)
