"""What is under way and changes the room by itself: nothing is preempted before it has ended."""

import math

from infadapter_operator.domain.observed import Observed, Pod, Resize
from infadapter_operator.planning.failures import gives_up_at_s
from infadapter_operator.rollout.free import missing
from infadapter_operator.rollout.match import PodState, is_settled, of_target
from infadapter_operator.rollout.release import DrainContext
from infadapter_solver.problem import Target


def is_under_way(context: DrainContext, observed: Observed) -> bool:
    """Something changes the room by itself; also a roll that stands still, when it goes on."""
    leaves = any(pod.leaving for pod in observed.pods)
    return leaves or bool(observed.rolling) or is_moving(context, observed)


def is_moving(context: DrainContext, observed: Observed) -> bool:
    """
    Something starts, is resized, rolls or leaves: it ends by itself. Pods that are refused don't
    come, but those that are not planned any more leave their room in this cycle.
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
    Where nothing has come further for as long as a start is waited for, nobody knows whether what
    leaves will ever have gone: nothing is given up for its room meanwhile, as that might not come
    either, but to wait for it is a rest.
    """
    late_s = observed.moved_at_s + context.service.patience.start_s
    late = math.isfinite(late_s) and context.now_s > late_s
    return not late and any(pod.leaving for pod in observed.pods)


def is_in_question(context: DrainContext, observed: Observed) -> bool:
    """
    Something planned fails: soon it comes after all, or another plan is made without it. When
    patience has ended and it is there still, as what a roll made is, nobody waits for it.
    """
    service, now_s = context.service, context.now_s
    return any(
        (one.actual.trouble and gives_up_at_s(service, observed, one.actual) > now_s)
        or (one.actual.resize is Resize.FAILING and not one.is_given_up(now_s))
        for one in context.pods
        if not one.goes and one.touchable
    )


def is_rolling(observed: Observed, target: Target) -> bool:
    """It has new pods, and all of them have come or start: old ones are given up for them yet."""
    new = [pod for pod in observed.of(target) if not (pod.outdated or pod.leaving)]
    stands = target in observed.stalled or any(
        _is_known_to_wait(pod) for pod in new if not pod.ready
    )
    return bool(new) and not stands


def _is_starting(one: PodState) -> bool:
    return not (one.goes or one.actual.ready or _is_known_to_wait(one.actual))


def _is_known_to_wait(pod: Pod) -> bool:
    return pod.unschedulable_since_s is not None or pod.trouble is not None


def _is_resizing(pod: Pod) -> bool:
    return pod.resize in (Resize.NONE, Resize.IN_PROGRESS) and not is_settled(pod)
