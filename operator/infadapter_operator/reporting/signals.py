"""From what one cycle came to, to what the conditions are made of."""

from infadapter_operator.domain.observed import Observed, Pod, Resize
from infadapter_operator.domain.ports import PlatformUnavailable
from infadapter_operator.domain.progress import Phase
from infadapter_operator.domain.service import Mode
from infadapter_operator.domain.situation import Failure
from infadapter_operator.planning.quotas import limiting
from infadapter_operator.reconcile import Cycle
from infadapter_operator.reporting.condition import Condition, Signals
from infadapter_operator.reporting.conditions import conditions
from infadapter_operator.reporting.sentences import amounts_told, target_told
from infadapter_operator.rollout.moves import PENDING_PATIENCE_S
from infadapter_operator.rollout.rollout import Rollout


def conditions_of(cycle: Cycle) -> tuple[Condition, ...]:
    """What follows from one cycle; who knows more replaces the rest by `with_ready`."""
    return conditions(cycle.service, signals_of(cycle))


def signals_of(cycle: Cycle) -> Signals:
    reason = cycle.failure.reason if cycle.failure else None
    if cycle.planned is None:
        paused = cycle.service.mode is Mode.PAUSED
        return Signals(
            decision=cycle.state.decision,
            unseen="Paused" if paused else reason,
            no_plan=_no_plan(cycle.failure),
        )
    observed, calibration = cycle.planned.present.counted, cycle.planned.calibration
    refusals = [(refusal.reason, refusal.message) for refusal in cycle.refusals]
    conflicts = [sentence for reason, sentence in refusals if reason == "Conflict"]
    refused = [refusal for refusal in refusals if refusal[0] != "Conflict"]
    return Signals(
        decision=cycle.planned.decision,
        data_error=reason,
        serving=_is_serving(observed),
        progressing=_is_progressing(cycle.rollout),
        shortages=(*_shortages(observed, cycle.rollout, cycle.now_s), *refused),
        surge_told=_surge_told(cycle),
        conflicts=(*_conflicts(observed), *dict.fromkeys(conflicts)),
        progress=cycle.progress,
        blocks=cycle.planned.blocks,
        ratios={target: calibration.ratio(target) for target in calibration.ratios},
        error_budget=cycle.state.error_budget,
    )


def _no_plan(failure: Failure | None) -> str:
    """What a platform that does not answer says differs every time."""
    if failure is None or failure.reason == PlatformUnavailable.reason:
        return ""
    return failure.message


def _is_serving(observed: Observed) -> bool:
    return any(
        pod.ready and not pod.leaving and observed.weights.get(pod.name, 0) > 0
        for pod in observed.pods
    )


def _is_progressing(rollout: Rollout | None) -> bool:
    return rollout is not None and (bool(rollout.steps) or rollout.progress.phase is not Phase.DONE)


def _shortages(observed: Observed, rollout: Rollout | None, now_s: float) -> list[tuple[str, str]]:
    found = []
    pending = [pod for pod in observed.pods if _is_stuck(pod, now_s)]
    for target in sorted({pod.target for pod in pending}):
        found.append(("Unschedulable", f"no node has room for a pod of {target_told(target)}"))
    waiting = [pod for pod in observed.pods if pod.resize in (Resize.DEFERRED, Resize.REFUSED)]
    for target in sorted({pod.target for pod in waiting if _waits_long(pod, now_s)}):
        found.append(
            ("ResizeDeferred", f"a node has no room for {target_told(target)} to grow in place")
        )
    if rollout and rollout.short:
        names = ", ".join(sorted(rollout.short))
        found.append(("SurgeExhausted", f"budget and maxSurge leave no room to switch: {names}"))
    return found


def limiting_quotas(cycle: Cycle, *, margin: float = 0.0) -> tuple[str, ...]:
    """Those that leave less surge than the spec asks for, or so much of it more than that."""
    seen = cycle.situation
    return limiting(seen.service, seen.observed.quotas, margin=margin) if seen else ()


def _surge_told(cycle: Cycle) -> str:
    """Without what is left: it changes with all that others have."""
    names = ", ".join(limiting_quotas(cycle))
    if not names or cycle.situation is None or cycle.planned is None:
        return ""
    asked = amounts_told(cycle.situation.service.max_surge)
    if any(cycle.planned.service.max_surge.values()):
        return f"quota {names} leaves less surge than {asked}: pods are replaced within that"
    return f"quota {names} leaves no surge, of {asked}: pods are replaced within the budget"


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
