"""
The progress of a rollout and the reason why it rests, derived from what is observed and never
stored.
"""

import math
from collections.abc import Sequence

from infadapter_operator.domain.observed import STUCK, Observed
from infadapter_operator.domain.progress import Phase, Progress, Rest
from infadapter_operator.domain.steps import SetWeights, Step
from infadapter_operator.planning.failures import gives_up_at_s
from infadapter_operator.rollout.match import PodState
from infadapter_operator.rollout.release import DrainContext
from infadapter_operator.rollout.under_way import is_moving, is_rolling
from infadapter_solver.problem import CPU, Target


def progress_of(
    context: DrainContext,
    observed: Observed,
    short: frozenset[str],
    steps: Sequence[Step],
    *,
    doubt: bool,
) -> Progress:
    """Return the progress of a rollout that is not at rest. `steps` are those of this cycle."""
    groups = [g for g in context.plan.groups if g.target not in observed.untouchable]
    wanted = sum(group.pods for group in groups)
    level = [one for one in context.pods if one.touchable and one.actual.ready and one.is_level]
    phase = _phase(context, observed, wanted - len(level), steps)
    coming = [
        one
        for one in context.pods
        if one.touchable and not one.is_surplus and not (one.actual.ready and one.is_level)
    ]
    waits = _is_patient(context, observed, coming)
    moves = bool(steps) or waits or is_moving(context, observed)
    rests = phase is not Phase.DONE and not moves
    return Progress(
        phase=phase,
        ready=min(len(level), wanted),
        wanted=wanted,
        waits_for=_waits_for(phase, coming),
        deadline_s=_deadline_s(context, observed, coming) if phase is Phase.STARTING else None,
        moves=moves,
        rest=_rest(context, observed, short, doubt=doubt) if rests or doubt else None,
    )


def progress_at_rest(
    context: DrainContext, steps: Sequence[SetWeights], *, doubt: bool
) -> Progress:
    """Return the progress of a plan that is reached: only weights may still change."""
    return Progress(
        phase=Phase.SHIFTING if steps else Phase.DONE,
        ready=len(context.pods),
        wanted=len(context.pods),
        moves=bool(steps),
        rest=Rest.NO_DATA if doubt else None,
    )


def _phase(context: DrainContext, observed: Observed, lacking: int, steps: Sequence[Step]) -> Phase:
    starting = sum(one.desired is not None and not one.actual.ready for one in context.pods)
    resizing = sum(
        one.desired is not None and one.actual.ready and not one.is_level for one in context.pods
    )
    if starting or lacking > resizing:
        return Phase.STARTING
    if resizing and lacking:
        return Phase.RESIZING
    if any(isinstance(step, SetWeights) for step in steps):
        return Phase.SHIFTING
    going = any(one.is_surplus for one in context.pods) or any(pod.leaving for pod in observed.pods)
    rolls = any(is_rolling(observed, target) for target in observed.rolling)
    return Phase.DRAINING if going or rolls else Phase.DONE


def _is_patient(context: DrainContext, observed: Observed, coming: Sequence[PodState]) -> bool:
    """Whether a planned pod may still come, so that its patience has not ended."""
    now_s, patience_s = context.now_s, context.service.patience.start_s
    starts = (
        gives_up_at_s(context.service, observed, one.actual)
        for one in coming
        if not one.actual.ready
    )
    resizes = (
        max(one.actual.resize_since_s or -math.inf, observed.moved_at_s) + patience_s
        for one in coming
        if one.actual.ready and one.actual.resize in STUCK
    )
    return any(until_s > now_s for until_s in (*starts, *resizes))


def _waits_for(phase: Phase, coming: Sequence[PodState]) -> str:
    if phase not in (Phase.STARTING, Phase.RESIZING) or not coming:
        return ""
    counts: dict[Target, int] = {}
    for one in coming:
        counts[one.actual.target] = counts.get(one.actual.target, 0) + 1
    named = ", ".join(f"{_name(target)} ({counts[target]})" for target in sorted(counts))
    return f"{named} to be {'Ready' if phase is Phase.STARTING else 'resized'}"


def _name(target: Target) -> str:
    return target.variant if target.kind == CPU else f"{target.variant} on {target.kind}"


def _deadline_s(
    context: DrainContext, observed: Observed, coming: Sequence[PodState]
) -> float | None:
    """Return when the first patience ends. Pods that do not exist yet have none."""
    ends = [
        gives_up_at_s(context.service, observed, p.actual) for p in coming if not p.actual.ready
    ]
    return min(ends, default=None)


def _rest(
    context: DrainContext, observed: Observed, short: frozenset[str], *, doubt: bool
) -> Rest | None:
    if doubt:
        return Rest.NO_DATA
    if any(not one.touchable for one in context.pods):
        return Rest.CONFLICT
    if any(pod.unschedulable_since_s is not None for pod in observed.pods):
        return Rest.NO_NODE
    if any(pod.resize in STUCK for pod in observed.pods):
        return Rest.RESIZE_REFUSED
    return Rest.NO_SURGE if short else Rest.START_FAILED
