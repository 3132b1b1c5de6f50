"""
Operations in progress that will free room by themselves. Nothing is preempted before they have
ended.
"""

import math

from infadapter_operator.domain.observed import Observed, Pod, Resize
from infadapter_operator.planning.failures import gives_up_at_s
from infadapter_operator.rollout.free import missing
from infadapter_operator.rollout.match import PodState, is_settled, of_target
from infadapter_operator.rollout.release import DrainContext
from infadapter_solver.problem import Target


def is_under_way(context: DrainContext, observed: Observed) -> bool:
    """
    Whether an operation in progress changes the room by itself. A stalled rolling update counts,
    since it frees its room once it continues.
    """
    leaves = any(pod.leaving for pod in observed.pods)
    return leaves or bool(observed.rolling) or is_moving(context, observed)


def is_moving(context: DrainContext, observed: Observed) -> bool:
    """
    Whether a pod starts, is resized, rolls or terminates, all of which end by themselves.

    Missing pods that the API server refuses do not come, but requests for pods that are no longer
    planned are withdrawn in this cycle.
    """
    planned = {group.target: group.pods for group in context.plan.groups}
    return (
        any(is_rolling(observed, target) for target in observed.rolling)
        or any(
            target not in observed.refusals
            or len(of_target(context.pods, target)) + pods > planned.get(target, 0)
            for target, pods in missing(observed).items()
        )
        or _leaves_soon(context, observed)
        or any(_is_resizing(pod) for pod in observed.pods)
        or any(_is_starting(one) for one in context.pods)
    )


def _leaves_soon(context: DrainContext, observed: Observed) -> bool:
    """
    Whether a pod terminates and has done so for no longer than a start may take.

    After that nobody knows whether it will ever be gone. Nothing is preempted for the room it
    holds, because that might not come either, but waiting for it is a rest.
    """
    late_s = observed.moved_at_s + context.service.patience.start_s
    late = math.isfinite(late_s) and context.now_s > late_s
    return not late and any(pod.leaving for pod in observed.pods)


def is_in_question(context: DrainContext, observed: Observed) -> bool:
    """
    Whether a planned pod fails while there is still patience with it: either it recovers, or the
    next plan excludes it. A pod that outlasts its patience, such as one of a rolling update, is not
    waited for.
    """
    service, now_s = context.service, context.now_s
    return any(
        (one.actual.trouble and gives_up_at_s(service, observed, one.actual) > now_s)
        or (one.actual.resize is Resize.FAILING and not one.is_given_up(now_s))
        for one in context.pods
        if not one.is_surplus and one.touchable
    )


def is_rolling(observed: Observed, target: Target) -> bool:
    """
    Whether a rolling update has new pods that are all Ready or starting, so old pods will be
    removed.
    """
    new = [pod for pod in observed.of(target) if not (pod.outdated or pod.leaving)]
    stands = target in observed.stalled or any(
        _is_known_to_wait(pod) for pod in new if not pod.ready
    )
    return bool(new) and not stands


def _is_starting(one: PodState) -> bool:
    return not (one.is_surplus or one.actual.ready or _is_known_to_wait(one.actual))


def _is_known_to_wait(pod: Pod) -> bool:
    return pod.unschedulable_since_s is not None or pod.trouble is not None


def _is_resizing(pod: Pod) -> bool:
    return pod.resize in (Resize.NONE, Resize.IN_PROGRESS) and not is_settled(pod)
