"""Where the rollout stands, and why it rests: derived from what is observed, never stored."""

import math
from collections.abc import Sequence

from infadapter_operator.domain.observed import STUCK, Observed
from infadapter_operator.domain.progress import Phase, Progress, Rest
from infadapter_operator.domain.steps import SetWeights, Step
from infadapter_operator.planning.backoff import gives_up_at_s
from infadapter_operator.rollout.match import Placed
from infadapter_operator.rollout.preemption import is_under_way
from infadapter_operator.rollout.release import Ground
from infadapter_solver.problem import CPU, Target


def progress_of(
    ground: Ground,
    observed: Observed,
    short: frozenset[str],
    steps: Sequence[Step],
    *,
    doubt: bool,
) -> Progress:
    """`steps` are those of this look."""
    groups = [g for g in ground.plan.groups if g.target not in observed.untouchable]
    wanted = sum(group.pods for group in groups)
    level = [one for one in ground.pods if one.touchable and one.pod.ready and one.is_level]
    phase = _phase(ground, observed, wanted - len(level), steps)
    coming = [one for one in ground.pods if one.touchable and not one.goes and one not in level]
    waits = _is_patient(ground, observed, coming)
    moves = bool(steps) or is_under_way(ground, observed)
    rests = phase is not Phase.DONE and not (waits or moves)
    return Progress(
        phase=phase,
        ready=min(len(level), wanted),
        wanted=wanted,
        waits_for=_waits_for(phase, coming),
        deadline_s=_deadline_s(ground, observed, coming) if phase is Phase.STARTING else None,
        moves=moves,
        rest=_rest(ground, observed, short, doubt=doubt) if rests or doubt else None,
    )


def _phase(ground: Ground, observed: Observed, lacking: int, steps: Sequence[Step]) -> Phase:
    starting = sum(one.goal is not None and not one.pod.ready for one in ground.pods)
    resizing = sum(
        one.goal is not None and one.pod.ready and not one.is_level for one in ground.pods
    )
    if starting or lacking > resizing:
        return Phase.STARTING
    if resizing and lacking:
        return Phase.RESIZING
    if any(isinstance(step, SetWeights) for step in steps):
        return Phase.SHIFTING
    going = any(one.goes for one in ground.pods) or any(pod.leaving for pod in observed.pods)
    return Phase.DRAINING if going else Phase.DONE


def _is_patient(ground: Ground, observed: Observed, coming: Sequence[Placed]) -> bool:
    """Something may yet come: it is no rest before a plan is made without it."""
    now_s, patience_s = ground.now_s, ground.service.patience.start_s
    starts = (
        gives_up_at_s(ground.service, observed, one.pod) for one in coming if not one.pod.ready
    )
    resizes = (
        max(one.pod.resize_since_s or -math.inf, observed.moved_at_s) + patience_s
        for one in coming
        if one.pod.ready and one.pod.resize in STUCK
    )
    return any(until_s > now_s for until_s in (*starts, *resizes))


def _waits_for(phase: Phase, coming: Sequence[Placed]) -> str:
    if phase not in (Phase.STARTING, Phase.RESIZING) or not coming:
        return ""
    counts: dict[Target, int] = {}
    for one in coming:
        counts[one.pod.target] = counts.get(one.pod.target, 0) + 1
    named = ", ".join(f"{_name(target)} ({counts[target]})" for target in sorted(counts))
    return f"{named} to be {'Ready' if phase is Phase.STARTING else 'resized'}"


def _name(target: Target) -> str:
    return target.variant if target.kind == CPU else f"{target.variant} on {target.kind}"


def _deadline_s(ground: Ground, observed: Observed, coming: Sequence[Placed]) -> float | None:
    """The first patience that ends; of pods that are not there yet nothing is known."""
    ends = [gives_up_at_s(ground.service, observed, p.pod) for p in coming if not p.pod.ready]
    return min(ends, default=None)


def _rest(ground: Ground, observed: Observed, short: frozenset[str], *, doubt: bool) -> Rest | None:
    if doubt:
        return Rest.NO_DATA
    if any(not one.touchable for one in ground.pods):
        return Rest.CONFLICT
    if any(pod.unschedulable_since_s is not None for pod in observed.pods):
        return Rest.NO_NODE
    if any(pod.resize in STUCK for pod in observed.pods):
        return Rest.RESIZE_REFUSED
    return Rest.NO_SURGE if short else Rest.START_FAILED
