"""The observation stage: all reads of one reconcile cycle (pods, router, load)."""

from collections.abc import Mapping
from dataclasses import dataclass, replace

from infadapter_operator.domain.error_budget import Answers
from infadapter_operator.domain.load import Delivered, History, LoadError
from infadapter_operator.domain.observed import Cause, Observed, Pod, Resize, Trouble
from infadapter_operator.domain.ports import Ports
from infadapter_operator.domain.service import Service
from infadapter_operator.domain.situation import Failure, Situation, State
from infadapter_operator.planning.capacity import same_size
from infadapter_operator.planning.error_budget import asked_every_s, measured_s
from infadapter_operator.planning.planning_demand import planning_window_s
from infadapter_operator.rollout.surge_time import loan_of
from infadapter_solver.problem import PodSize, Target


@dataclass(frozen=True, slots=True, kw_only=True)
class Shared:
    """What is known across services: for a shared cause only one service probes."""

    causes: frozenset[Cause] = frozenset()  # that affect several services
    tried_elsewhere: frozenset[Cause] = frozenset()  # for which another service probes


async def observe(
    service: Service, state: State, ports: Ports, now_s: float, shared: Shared
) -> Situation:
    """
    Return the situation. Raises PlatformUnavailable; missing load data is part of the situation.
    """
    seen = await ports.cluster.observe(now_s)
    seen = remembered(seen, state, now_s, service.patience.start_s)
    view = await ports.router.view()
    observed = replace(
        seen,
        weights=view.obeys,
        sent_weights=view.sent,
        may_obey=view.may_obey,
        in_between=view.in_between,
        shared_causes=shared.causes,
        tried_elsewhere=shared.tried_elsewhere,
        moved_at_s=state.milestone.at_s,
        surge_loan=loan_of(service, seen.pods, state.surge_loan, now_s),
    )
    load, no_load = await _load(service, ports, now_s)
    return Situation(
        now_s=now_s,
        service=service,
        state=state,
        observed=observed,
        load=load,
        no_load=no_load,
        delivered=await _delivered(service, state, ports, now_s),
        answers=await _answers(service, state, ports, now_s),
    )


async def _load(
    service: Service, ports: Ports, now_s: float
) -> tuple[History | None, Failure | None]:
    try:
        return await ports.load.history(planning_window_s(service), now_s), None
    except LoadError as error:
        return None, Failure(error.reason, str(error))


async def _delivered(
    service: Service, state: State, ports: Ports, now_s: float
) -> Mapping[str, Delivered] | None:
    """
    Return what pods delivered, once per interval while there is load data. A Prometheus that does
    not answer is not asked a second time in the same cycle.
    """
    last_s = state.calibration.at_s
    is_soon = last_s is not None and last_s <= now_s < last_s + service.interval_s
    if is_soon or state.data_missing_since_s is not None:
        return None
    return await ports.load.delivered(service.interval_s, now_s)


async def _answers(
    service: Service, state: State, ports: Ports, now_s: float
) -> tuple[Answers, ...] | None:
    """
    Return the answers for the error budget from time to time, since it is a mean over minutes.
    """
    last_s, every_s = state.error_budget.at_s, asked_every_s(service.error_budget_window_s)
    is_soon = last_s is not None and last_s <= now_s < last_s + every_s
    if is_soon or state.data_missing_since_s is not None:
        return None
    return await ports.load.answers(measured_s(service.error_budget_window_s), now_s)


def remembered(observed: Observed, state: State, now_s: float, patience_s: float) -> Observed:
    """
    Complete the observation with what earlier cycles learnt and the platform shows late or never.
    """
    if state.infeasible_resizes:
        observed = _with_refused_sizes(observed, dict(state.infeasible_resizes))
    if state.removed_pods:
        observed = _with_leaving(observed, state.removed_pods)
    if state.refused:
        observed = _with_refusals(observed, state.refused, now_s, patience_s)
    return observed


def _with_refused_sizes(observed: Observed, refused: Mapping[str, PodSize]) -> Observed:
    """Mark sizes that nodes refused for good as requested and refused."""
    pods = tuple(_refused(pod, refused.get(pod.name)) for pod in observed.pods)
    return replace(observed, pods=pods)


def _refused(pod: Pod, size: PodSize | None) -> Pod:
    if size is None or same_size(pod.size, size):
        return pod
    return replace(pod, wanted=size, resize=Resize.REFUSED)


def _with_leaving(observed: Observed, removed: frozenset[str]) -> Observed:
    """
    Mark removed pods as terminating before the platform shows it, but no more than are surplus: the
    platform may have removed another pod instead.
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


def _with_refusals(
    observed: Observed, refused: Mapping[Target, Trouble], now_s: float, patience_s: float
) -> Observed:
    """Add start refusals that have lasted for the whole patience."""
    lasting = {
        t: trouble for t, trouble in refused.items() if now_s - trouble.since_s >= patience_s
    }
    return replace(observed, refusals={**lasting, **observed.refusals})
