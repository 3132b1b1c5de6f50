"""Taking steps through a body, and remembering what it can never do."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from infadapter_operator.domain.observed import Cause, Observed, Pod, Resize, Trouble
from infadapter_operator.domain.ports import (
    BodyUnavailable,
    Cluster,
    Conflict,
    ResizeInfeasible,
    Router,
    StepRefused,
)
from infadapter_operator.domain.progress import Block
from infadapter_operator.domain.steps import (
    RemovePods,
    ReplacePods,
    ResizePod,
    ScaleUp,
    SetWeights,
    Step,
)
from infadapter_operator.planning.capacity import same_amounts
from infadapter_solver.problem import Amounts, Target

Refused = frozenset[tuple[str, tuple[tuple[str, int], ...]]]
"""Pods with the resources they were refused for good."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Refusal:
    step: Step
    reason: str
    message: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Taken:
    steps: tuple[Step, ...] = ()
    refusals: tuple[Refusal, ...] = ()
    infeasible: Refused = frozenset()


async def take(steps: Sequence[Step], cluster: Cluster, router: Router) -> Taken:
    """
    In their order. A refused step leaves the others to be tried, except that nothing is removed
    after weights were refused; a body that does not answer ends it.
    """
    taken: list[Step] = []
    refusals: list[Refusal] = []
    infeasible: set[tuple[str, tuple[tuple[str, int], ...]]] = set()
    for step in steps:
        if isinstance(step, RemovePods | ReplacePods) and _weights_were_refused(refusals):
            continue
        try:
            await _take(step, cluster, router)
        except StepRefused as refused:
            refusals.append(Refusal(step=step, reason=refused.reason, message=str(refused)))
            if isinstance(refused, ResizeInfeasible) and isinstance(step, ResizePod):
                infeasible.add((step.pod, _key(step.allocation.resources)))
        except BodyUnavailable as error:
            refusals.append(Refusal(step=step, reason=error.reason, message=str(error)))
            break
        else:
            taken.append(step)
    return Taken(steps=tuple(taken), refusals=tuple(refusals), infeasible=frozenset(infeasible))


OBEYED_WITHIN_S = 15.0
"""How long weights that were replaced before the router confirmed them may still take effect."""


def superseded_pods(
    before: Mapping[str, float],
    sent: Mapping[str, int] | None,
    attempted: Mapping[str, int] | None,
    observed: Observed,
    now_s: float,
) -> dict[str, float]:
    """By pod, until when unconfirmed weights of the past may still send to it."""
    kept = {pod: until_s for pod, until_s in before.items() if until_s > now_s}
    obeyed = {pod: weight for pod, weight in observed.weights.items() if weight > 0}
    if sent is not None and attempted is not None and sent not in (attempted, obeyed):
        kept |= dict.fromkeys(sent, now_s + OBEYED_WITHIN_S)
    return kept


def attempted_weights(steps: Sequence[Step]) -> dict[str, int] | None:
    """What the router may obey from now on, also where its answer was an error."""
    sent = [step for step in steps if isinstance(step, SetWeights)]
    return {b.pod: b.weight for b in sent[-1].backends if b.weight > 0} if sent else None


def marked(observed: Observed, refused: Refused) -> Observed:
    """The pods, with the sizes that their nodes refused for good as asked for and refused."""
    sizes = dict(refused)
    return replace(
        observed,
        pods=tuple(_marked(pod, sizes.get(pod.name)) for pod in observed.pods),
    )


def with_leaving(observed: Observed, removed: frozenset[str]) -> Observed:
    """
    Pods that were told to stop count as leaving before their body sees it, but no more of them than
    are too many: a body may have stopped another one instead.
    """
    excess = {
        target: sum(not pod.leaving for pod in observed.of(target)) - desired
        for target, desired in observed.desired_pods.items()
    }
    pods: list[Pod] = []
    for pod in observed.pods:
        told = pod.name in removed and not pod.leaving and excess.get(pod.target, 1) > 0
        if told and pod.target in excess:
            excess[pod.target] -= 1
        pods.append(replace(pod, leaving=True) if told else pod)
    return replace(observed, pods=tuple(pods))


def refused_starts(
    before: Mapping[Target, Trouble], taken: Taken, blocks: Mapping[Target, Block], now_s: float
) -> dict[Target, Trouble]:
    """Targets whose pods may not be asked for, since when; what is left anyhow begins anew."""
    started = {step.target for step in taken.steps if isinstance(step, ScaleUp)}
    known = {t: trouble for t, trouble in before.items() if t not in started and t not in blocks}
    refused = {
        refusal.step.target: Trouble(cause=Cause.REFUSED, message=refusal.message, since_s=now_s)
        for refusal in taken.refusals
        if isinstance(refusal.step, ScaleUp) and refusal.reason not in _NOT_FOR_GOOD
    }
    return {**refused, **known}


_NOT_FOR_GOOD = (BodyUnavailable.reason, Conflict.reason)


def with_refusals(
    observed: Observed, refused: Mapping[Target, Trouble], now_s: float, patience_s: float
) -> Observed:
    """A start that was refused for as long as one is waited for is no accident."""
    lasting = {
        t: trouble for t, trouble in refused.items() if now_s - trouble.since_s >= patience_s
    }
    return replace(observed, refusals={**lasting, **observed.refusals})


def with_absent(steps: Sequence[Step], absent: Mapping[Target, int]) -> tuple[Step, ...]:
    """Pods that do not count are there all the same: who scales counts them."""
    return tuple(_with_absent(step, absent) for step in steps)


def _with_absent(step: Step, absent: Mapping[Target, int]) -> Step:
    if isinstance(step, ScaleUp | ReplacePods):
        return replace(step, pods=step.pods + absent.get(step.target, 0))
    if isinstance(step, RemovePods):
        return replace(step, remaining=step.remaining + absent.get(step.target, 0))
    return step


def removed_pods(taken: Taken) -> frozenset[str]:
    steps = [step for step in taken.steps if isinstance(step, RemovePods)]
    return frozenset(pod for step in steps for pod in step.pods)


def still_refused(before: Refused, observed: Observed, taken: Taken) -> Refused:
    """Forgotten when the pod is gone or has taken another size."""
    there = {pod.name for pod in observed.pods}
    resized = {step.pod for step in taken.steps if isinstance(step, ResizePod)}
    again = {pod for pod, _ in taken.infeasible}
    kept = {(pod, size) for pod, size in before if pod in there - resized - again}
    return frozenset(kept) | taken.infeasible


async def _take(step: Step, cluster: Cluster, router: Router) -> None:
    if isinstance(step, SetWeights):
        await router.set_weights(step)
    else:
        await cluster.take(step)


def _weights_were_refused(refusals: Sequence[Refusal]) -> bool:
    return any(isinstance(refusal.step, SetWeights) for refusal in refusals)


def _key(resources: Amounts) -> tuple[tuple[str, int], ...]:
    return tuple(sorted(resources.items()))


def _marked(pod: Pod, size: tuple[tuple[str, int], ...] | None) -> Pod:
    if size is None or same_amounts(pod.resources, dict(size)):
        return pod
    return replace(pod, wanted=dict(size), resize=Resize.REFUSED)
