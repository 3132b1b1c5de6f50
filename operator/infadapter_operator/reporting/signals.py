"""From what a look saw to what the conditions are made of."""

from collections.abc import Mapping, Sequence

from infadapter_operator.domain.decision import Decision
from infadapter_operator.domain.observed import Observed, Pod, Resize
from infadapter_operator.domain.progress import Block, Phase, Progress
from infadapter_operator.reporting.conditions import Signals
from infadapter_operator.reporting.sentences import target_told
from infadapter_operator.rollout.rollout import PENDING_PATIENCE_S, Turn
from infadapter_solver.problem import Target


def signals_of(
    decision: Decision | None,
    observed: Observed,
    turn: Turn | None,
    refusals: Sequence[tuple[str, str]],
    data_error: str | None,
    now_s: float,
    progress: Progress | None = None,
    blocks: Mapping[Target, Block] | None = None,
) -> Signals:
    """`refusals` are (reason, sentence) of the steps that were refused in this look."""
    conflicts = [sentence for reason, sentence in refusals if reason == "Conflict"]
    refused = [refusal for refusal in refusals if refusal[0] != "Conflict"]
    return Signals(
        decision=decision,
        data_error=data_error,
        serving=_is_serving(observed),
        progressing=_is_progressing(turn),
        shortages=(*_shortages(observed, turn, now_s), *refused),
        conflicts=(*_conflicts(observed), *dict.fromkeys(conflicts)),
        progress=progress,
        blocks=blocks or {},
    )


def _is_serving(observed: Observed) -> bool:
    return any(
        pod.ready and not pod.leaving and observed.weights.get(pod.name, 0) > 0
        for pod in observed.pods
    )


def _is_progressing(turn: Turn | None) -> bool:
    return turn is not None and (bool(turn.steps) or turn.progress.phase is not Phase.DONE)


def _shortages(observed: Observed, turn: Turn | None, now_s: float) -> list[tuple[str, str]]:
    found = []
    pending = [pod for pod in observed.pods if _is_stuck(pod, now_s)]
    for target in sorted({pod.target for pod in pending}):
        found.append(("Unschedulable", f"no node has room for a pod of {target_told(target)}"))
    waiting = [pod for pod in observed.pods if pod.resize in (Resize.DEFERRED, Resize.REFUSED)]
    for target in sorted({pod.target for pod in waiting if _waits_long(pod, now_s)}):
        found.append(
            ("ResizeDeferred", f"a node has no room for {target_told(target)} to grow in place")
        )
    if turn and turn.short:
        names = ", ".join(sorted(turn.short))
        found.append(("SurgeExhausted", f"budget and maxSurge leave no room to switch: {names}"))
    return found


def _is_stuck(pod: Pod, now_s: float) -> bool:
    since_s = pod.unschedulable_since_s
    return since_s is not None and now_s - since_s > PENDING_PATIENCE_S


def _waits_long(pod: Pod, now_s: float) -> bool:
    if pod.resize_since_s is None or pod.resize is Resize.REFUSED:
        return True
    return now_s - pod.resize_since_s > PENDING_PATIENCE_S


def _conflicts(observed: Observed) -> tuple[str, ...]:
    return tuple(
        f"another controller scales or sizes {target_told(target)}: its pods stay as they are"
        for target in sorted(observed.untouchable)
    )
