"""How much more may run: the budget and the surge, less all that is held already."""

from collections.abc import Mapping

from infadapter_operator.domain.observed import Observed
from infadapter_operator.domain.service import Service
from infadapter_operator.planning.capacity import plus
from infadapter_operator.rollout.match import held_by
from infadapter_solver.problem import Plan, PodSize, Resources, Target


class Room:
    """What is left while steps are chosen; below zero where more runs than may."""

    def __init__(self, left: Resources) -> None:
        self._left = dict(left)

    def times(self, amounts: Resources) -> int:
        """How often these amounts fit."""
        needed = {name: amount for name, amount in amounts.items() if amount > 0}
        counts = [max(0, self._left.get(name, 0)) // amount for name, amount in needed.items()]
        return min(counts, default=1_000_000)

    def lacking(self, amounts: Resources) -> dict[str, int]:
        """How much of each there is too little; where more runs than may, that comes on top."""
        short = {name: n - self._left.get(name, 0) for name, n in amounts.items() if n > 0}
        return {name: amount for name, amount in short.items() if amount > 0}

    def take(self, amounts: Resources, times: int = 1) -> None:
        self._left = plus(self._left, amounts, -times)


def room_for(service: Service, plan: Plan, observed: Observed) -> Room:
    """Pods that leave hold what they have until they are gone; pods still to come hold theirs."""
    room = Room(plus(service.budget, service.max_surge))
    room.take(observed.aside)
    for pod in observed.pods:
        room.take(held_by(pod))
    planned = {group.target: group.allocation.size for group in plan.groups}
    for target, pods in missing(observed).items():
        size = start_size(observed, target, planned.get(target))
        if size is not None:
            room.take(size, pods)
    return room


def over_budget(service: Service, observed: Observed) -> Resources:
    """Resources of which more is held than the budget, and how much: surge is in use."""
    beyond = plus({}, service.budget, -1)
    for pod in observed.pods:
        beyond = plus(beyond, held_by(pod))
    return {name: more for name, more in beyond.items() if more > 0}


def missing(observed: Observed) -> Mapping[Target, int]:
    """Pods that were asked for and are not there yet."""
    return {
        target: desired - live
        for target, desired in observed.desired_pods.items()
        if desired > (live := sum(not pod.leaving for pod in observed.of(target)))
    }


def start_size(observed: Observed, target: Target, planned: PodSize | None) -> Resources | None:
    """The resources at which the next pod of the target comes up, if it is known."""
    template = observed.templates.get(target, planned)
    return template.resources if template else None
