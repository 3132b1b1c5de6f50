"""How far a rollout has come: what a patience is counted from begins anew when it comes further."""

from infadapter_operator.domain.decision import Shape
from infadapter_operator.domain.observed import Observed
from infadapter_operator.domain.progress import Milestone, Progress


def milestone_after(
    before: Milestone, plan: Shape, progress: Progress | None, observed: Observed, now_s: float
) -> Milestone:
    """Another plan, one more pod Ready, one less pending or one less too many is progress."""
    if progress is None:
        return before
    pending = sum(pod.unschedulable_since_s is not None for pod in observed.pods)
    excess = len(observed.pods) - progress.wanted
    further = (
        before.plan != plan
        or progress.ready > before.ready
        or pending < before.pending
        or excess < before.excess
    )
    if not further:
        return before
    return Milestone(plan=plan, ready=progress.ready, pending=pending, excess=excess, at_s=now_s)
