"""Which pods may receive traffic in a cycle, and the step that sets their weights."""

from collections.abc import Collection, Mapping, Sequence

from infadapter_operator.domain.observed import Observed
from infadapter_operator.domain.steps import Backend, SetWeights
from infadapter_operator.rollout.match import PodState
from infadapter_operator.rollout.release import Releases, goes_now
from infadapter_operator.rollout.traffic_split import Candidate
from infadapter_solver.problem import Allocation


def confirmed(observed: Observed) -> dict[str, int]:
    """Return the weights that the router has in force, without zeros."""
    return {pod: weight for pod, weight in observed.weights.items() if weight > 0}


def last_sent(observed: Observed) -> Mapping[str, int]:
    """
    Return the weights sent last, which will be in force soon; those in force if none are known.
    """
    return confirmed(observed) if observed.sent_weights is None else observed.sent_weights


def carriers(observed: Observed) -> frozenset[str]:
    """
    Return the pods to which the router sends, or may begin to send. Weights that were sent come
    into force later, in the order in which they were sent.
    """
    return frozenset(confirmed(observed)) | frozenset(last_sent(observed)) | observed.may_obey


def candidates(
    pods: Sequence[PodState],
    freed: Releases,
    changing: Collection[str],
    carrying: Collection[str],
) -> list[Candidate]:
    """
    Return the Ready pods, each with its capacity after this cycle's releases.

    A new pod that is about to be resized is held in reserve until it has its size.
    """
    return [
        Candidate(
            pod=one.actual.name,
            target=one.actual.target,
            segments=_after(one, freed, changing).segments(one.accuracy),
            reserve=one.actual.name not in carrying
            and (one.actual.name in changing or one.is_changing),
        )
        for one in pods
        if one.actual.ready and not goes_now(freed, one.actual.name)
    ]


def set_weights(pods: Sequence[PodState], weights: Mapping[str, int]) -> SetWeights:
    by_name = {one.actual.name: one.actual for one in pods}
    return SetWeights(
        backends=tuple(
            Backend(
                pod=name,
                target=by_name[name].target,
                address=by_name[name].address,
                weight=weight,
            )
            for name, weight in sorted(weights.items())
        )
    )


def _after(one: PodState, freed: Releases, changing: Collection[str]) -> Allocation:
    size = freed.get(one.actual.name) or (one.desired if one.actual.name in changing else None)
    return size if size and size.capacity_rps < one.capacity_rps else one.serving
