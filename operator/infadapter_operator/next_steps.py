"""What may be done now, level by level, to come from what runs to what is planned."""

from infadapter_operator.decision import Decision
from infadapter_operator.observed import Observed
from infadapter_operator.service import Service
from infadapter_operator.steps import Step


def next_steps(
    service: Service,
    decision: Decision,
    observed: Observed,
    demand_rps: float | None,
    now_s: float,
) -> tuple[Step, ...]:
    """The steps that may be taken now. `demand_rps` None is doubt: nothing shrinks then."""
    raise NotImplementedError
