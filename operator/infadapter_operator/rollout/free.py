"""How much more may run: the budget and the surge, less all that is held already."""

from collections.abc import Iterable, Mapping, Sequence

from infadapter_operator.domain.observed import Observed, Pod
from infadapter_operator.domain.service import Service
from infadapter_operator.planning.capacity import held, held_by, plus
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

    def with_back(self, amounts: Resources) -> "Room":
        """What it is once these are free."""
        return Room(plus(self._left, amounts))


def room_for(service: Service, plan: Plan, observed: Observed) -> Room:
    """Pods that leave hold what they have until they are gone; pods still to come hold theirs."""
    room = Room(plus(service.budget, service.max_surge))
    room.take(observed.aside)
    room.take(held(observed.pods))
    planned = {group.target: group.allocation.size for group in plan.groups}
    for target, pods in missing(observed).items():
        size = start_size(observed, target, planned.get(target))
        if size is not None:
            room.take(size, pods)
    for target in observed.rolling:
        room.take(_kept_for_roll(observed, target, planned.get(target)))
    return room


def _kept_for_roll(observed: Observed, target: Target, planned: PodSize | None) -> Resources:
    """What a roll that is under way may hold beyond what it holds: it began with room for it."""
    size = start_size(observed, target, planned)
    stay = [pod for pod in observed.of(target) if not pod.leaving]
    old = [held_by(pod) for pod in stay if pod.outdated]
    if size is None or not old:
        return {}
    more = rolled_beyond(old, size, observed.desired_pods.get(target, len(stay)))
    begun = max(len(stay), observed.desired_pods.get(target, 0)) - len(old)
    return {name: max(0, n) for name, n in plus(more, size, -begun).items()}


def rolled_beyond(old: Sequence[Resources], new: Resources, pods: int) -> Resources:
    """What a rolling change of these old pods to so many new ones holds at most beyond them."""
    names = {*new, *(name for amounts in old for name in amounts)}
    return {
        name: most_beyond([amounts.get(name, 0) for amounts in old], new.get(name, 0), pods)
        for name in names
    }


def most_beyond(old: Sequence[int], new: int, pods: int) -> int:
    """
    Of one resource. There is a pod more than there shall be while old ones are there, and beside
    these one that still leaves, which a Deployment does not count; who goes first nobody knows.
    """
    largest_first = sorted(old, reverse=True)
    held = (
        sum(largest_first[: stay + 1]) + new * max(0, pods + 1 - stay)
        for stay in range(1, len(old) + 1)
    )
    return max(held, default=new * pods) - sum(old)


def beyond(held: Resources, wanted: Resources) -> Resources:
    """What is wanted of each more than is held."""
    return {name: max(0, more) for name, more in plus(wanted, held, -1).items()}


def over_budget(service: Service, pods: Iterable[Pod]) -> Resources:
    """Resources of which these hold more than the budget, and how much: surge is in use."""
    over = plus(held(pods), service.budget, -1)
    return {name: more for name, more in over.items() if more > 0}


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
