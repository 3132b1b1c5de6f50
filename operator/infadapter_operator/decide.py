"""The decision: pure, and told the time."""

from infadapter_operator.decision import Decision
from infadapter_operator.demand import History
from infadapter_operator.observed import Observed
from infadapter_operator.service import Service


def decide(
    service: Service,
    history: History,
    observed: Observed,
    previous: Decision | None,
    now_s: float,
) -> Decision:
    """The plan for the demand that the history lets expect."""
    raise NotImplementedError


def warming(service: Service, observed: Observed, now_s: float) -> Decision:
    """The plan when no load was ever seen: what runs, else the smallest that serves."""
    raise NotImplementedError
