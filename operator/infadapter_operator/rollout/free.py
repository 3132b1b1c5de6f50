"""Free room: the budget and the surge, less everything that pods hold already."""

from collections.abc import Iterable, Mapping, Sequence

from infadapter_operator.domain.observed import Observed, Pod
from infadapter_operator.domain.service import Service
from infadapter_operator.planning.capacity import held, held_by, plus
from infadapter_solver.problem import Plan, PodSize, Resources, Target


class Room:
    """
    The resources that remain while steps are chosen; negative where more is held than allowed.
    """

    def __init__(self, left: Resources) -> None:
        self._left = dict(left)

    def times(self, amounts: Resources) -> int:
        """Return how many times these amounts fit."""
        needed = {name: amount for name, amount in amounts.items() if amount > 0}
        counts = [max(0, self._left.get(name, 0)) // amount for name, amount in needed.items()]
        return min(counts, default=1_000_000)

    def lacking(self, amounts: Resources) -> dict[str, int]:
        """
        Return how much of each resource is missing for these amounts, an existing overrun included.
        """
        short = {name: n - self._left.get(name, 0) for name, n in amounts.items() if n > 0}
        return {name: amount for name, amount in short.items() if amount > 0}

    def take(self, amounts: Resources, times: int = 1) -> None:
        self._left = plus(self._left, amounts, -times)

    def with_back(self, amounts: Resources) -> "Room":
        """Return the room after these amounts have been freed."""
        return Room(plus(self._left, amounts))


def room_for(service: Service, plan: Plan, observed: Observed) -> Room:
    """
    Return the free room of a service.

    Terminating pods hold their resources until they are gone. Requested pods that do not exist yet,
    and rolling updates in progress, count with what they will hold.
    """
    room = Room(plus(service.budget, service.max_surge))
    room.take(observed.awaited_resources)
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
    """
    Return the resources that a rolling update in progress may still take beyond what it holds. It
    began with room for all of it.
    """
    size = start_size(observed, target, planned)
    stay = [pod for pod in observed.of(target) if not pod.leaving]
    old = [held_by(pod) for pod in stay if pod.outdated]
    if size is None or not old:
        return {}
    more = rolled_beyond(old, size, observed.desired_pods.get(target, len(stay)))
    begun = max(len(stay), observed.desired_pods.get(target, 0)) - len(old)
    return {name: max(0, n) for name, n in plus(more, size, -begun).items()}


def rolled_beyond(old: Sequence[Resources], new: Resources, pods: int) -> Resources:
    """
    Return the most that a rolling update from these old pods to `pods` new ones holds beyond the
    old.
    """
    names = {*new, *(name for amounts in old for name in amounts)}
    return {
        name: most_beyond([amounts.get(name, 0) for amounts in old], new.get(name, 0), pods)
        for name in names
    }


def most_beyond(old: Sequence[int], new: int, pods: int) -> int:
    """
    Return the same for one resource.

    While old pods exist a Deployment runs one pod more than its replica count, and beside it one
    that still terminates, which it does not count. The order in which old pods go is unknown, so
    the largest are assumed to stay longest.
    """
    largest_first = sorted(old, reverse=True)
    held = (
        sum(largest_first[: stay + 1]) + new * max(0, pods + 1 - stay)
        for stay in range(1, len(old) + 1)
    )
    return max(held, default=new * pods) - sum(old)


def beyond(held: Resources, wanted: Resources) -> Resources:
    """Return by how much `wanted` exceeds `held`, by resource."""
    return {name: max(0, more) for name, more in plus(wanted, held, -1).items()}


def over_budget(service: Service, pods: Iterable[Pod]) -> Resources:
    """
    Return the resources of which the pods hold more than the budget, and by how much (the surge in
    use).
    """
    over = plus(held(pods), service.budget, -1)
    return {name: more for name, more in over.items() if more > 0}


def missing(observed: Observed) -> Mapping[Target, int]:
    """Return, by target, the number of requested pods that do not exist yet."""
    return {
        target: desired - live
        for target, desired in observed.desired_pods.items()
        if desired > (live := sum(not pod.leaving for pod in observed.of(target)))
    }


def start_size(observed: Observed, target: Target, planned: PodSize | None) -> Resources | None:
    """Return the resources with which the next pod of the target starts, if they are known."""
    template = observed.templates.get(target, planned)
    return template.resources if template else None
