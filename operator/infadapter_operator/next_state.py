"""The state that one reconcile cycle leaves to the next. Pure."""

from collections.abc import Mapping
from dataclasses import replace

from infadapter_operator.domain.decision import Shape
from infadapter_operator.domain.observed import Cause, Observed, Trouble
from infadapter_operator.domain.ports import Conflict, PlatformUnavailable
from infadapter_operator.domain.progress import Block, Milestone, Progress
from infadapter_operator.domain.situation import Situation, State
from infadapter_operator.domain.steps import RemovePods, ResizePod, ScaleUp
from infadapter_operator.execute import Executed
from infadapter_operator.planning.plan import Planned
from infadapter_operator.planning.served_accuracy import served_accuracy
from infadapter_solver.problem import PodSize, Target

_NOT_FOR_GOOD = (PlatformUnavailable.reason, Conflict.reason)


def next_state(
    situation: Situation, planned: Planned, progress: Progress | None, done: Executed
) -> State:
    """
    Return the next state. `progress` is that of the rollout, or None if nothing is carried out.
    """
    before, now_s, counted = situation.state, situation.now_s, planned.present.counted
    since_s = before.data_missing_since_s
    missing_since_s = now_s if since_s is None else since_s
    fails = planned.failure is not None
    shape = planned.decision.shape
    return State(
        decision=planned.decision,
        data_missing_since_s=missing_since_s if fails else None,
        last_data_s=before.last_data_s if fails else now_s,
        infeasible_resizes=_still_refused(before.infeasible_resizes, counted, done),
        removed_pods=(before.removed_pods & {pod.name for pod in counted.pods})
        | _removed_pods(done),
        calibration=planned.calibration,
        blocks=planned.blocks,
        error_budget=planned.error_budget,
        served_accuracy=None if fails else _served_accuracy(situation, planned),
        awaited=planned.present.awaited,
        without_room=planned.without_room,
        refused=_refused_starts(before.refused, done, planned.blocks, now_s),
        surge_loan=situation.observed.surge_loan,
        milestone=_milestone_after(before.milestone, shape, progress, situation.observed, now_s),
    )


def _served_accuracy(situation: Situation, planned: Planned) -> float | None:
    if situation.delivered is None:
        return situation.state.served_accuracy
    return served_accuracy(planned.service, situation.observed, situation.delivered)


def _milestone_after(
    before: Milestone, plan: Shape, progress: Progress | None, observed: Observed, now_s: float
) -> Milestone:
    """
    Return the furthest progress of the rollout, from which patience is counted.

    A new plan, one more Ready pod, one less pending, one more terminating or one less surplus pod
    is progress. A pod that merely no longer counts still exists and is none. Times in the future,
    after the clock was set back, count as now.
    """
    before = replace(before, at_s=min(before.at_s, now_s))
    if progress is None:
        return before
    pending = sum(pod.unschedulable_since_s is not None for pod in observed.pods)
    excess = len(observed.pods) - progress.wanted
    leaving = sum(pod.leaving for pod in observed.pods)
    further = (
        before.plan != plan
        or progress.ready > before.ready
        or pending < before.pending
        or excess < before.excess
        or leaving > before.leaving
    )
    if not further:
        return before
    return Milestone(
        plan=plan,
        ready=progress.ready,
        pending=pending,
        excess=excess,
        leaving=leaving,
        at_s=now_s,
    )


def _refused_starts(
    before: Mapping[Target, Trouble], done: Executed, blocks: Mapping[Target, Block], now_s: float
) -> dict[Target, Trouble]:
    """
    Return the targets whose starts are refused, and since when. A target that is blocked starts
    over.
    """
    started = {step.target for step in done.steps if isinstance(step, ScaleUp)}
    known = {t: trouble for t, trouble in before.items() if t not in started and t not in blocks}
    refused = {
        refusal.step.target: Trouble(cause=Cause.REFUSED, message=refusal.message, since_s=now_s)
        for refusal in done.refusals
        if isinstance(refusal.step, ScaleUp) and refusal.reason not in _NOT_FOR_GOOD
    }
    return {**refused, **known}


def _removed_pods(done: Executed) -> frozenset[str]:
    steps = [step for step in done.steps if isinstance(step, RemovePods)]
    return frozenset(pod for step in steps for pod in step.pods)


def _still_refused(
    before: frozenset[tuple[str, PodSize]], observed: Observed, done: Executed
) -> frozenset[tuple[str, PodSize]]:
    """
    Return the refused resizes; one is forgotten when its pod is gone or was resized to another
    size.
    """
    there = {pod.name for pod in observed.pods}
    resized = {step.pod for step in done.steps if isinstance(step, ResizePod)}
    again = {pod for pod, _ in done.infeasible}
    kept = {(pod, size) for pod, size in before if pod in there - resized - again}
    return frozenset(kept) | done.infeasible
