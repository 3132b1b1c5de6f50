"""Capacity and resources of pods at the size that they have in force, planned or not."""

from collections.abc import Iterable, Mapping
from dataclasses import replace

from infadapter_operator.domain.observed import Pod, Resize
from infadapter_operator.domain.service import Service
from infadapter_solver.problem import CPU, Allocation, PodGroup, PodSize, Resources, Target, Variant


def capacity_rps(service: Service, pod: Pod) -> float:
    """
    Return the profiled capacity of a pod: that of its exact allocation, else of the largest
    measured one that fits inside, else 0.

    It is 0 as well for a variant that left the spec, of which nothing is known.
    """
    return capacity_of_size_rps(service, pod.target, pod.size)


def capacity_of_size_rps(service: Service, target: Target, size: PodSize) -> float:
    allocation = fitting(service, target, size)
    return allocation.capacity_rps if allocation else 0.0


def as_allocation(service: Service, target: Target, size: PodSize) -> Allocation:
    """
    Return this exact size with the capacity and operating points of the best allocation that fits
    inside.
    """
    found = fitting(service, target, size)
    if found is None:
        return Allocation(size=size, capacity_rps=0.0)
    return found if found.size == size else replace(found, size=size)


def fitting(service: Service, target: Target, size: PodSize) -> Allocation | None:
    """
    Return the allocation of exactly this size, else the one of most capacity that fits inside.
    """
    known, asked = service.derived.of(service.variants).fitted, (target, size)
    if asked not in known:
        known[asked] = _fitting(service, target, size)
    return known[asked]


def _fitting(service: Service, target: Target, size: PodSize) -> Allocation | None:
    variant = find_variant(service, target.variant)
    return max(
        (
            allocation
            for allocation in (variant.allocations if variant else ())
            if allocation.kind == target.kind
            and allocation.batch_size == size.batch_size
            and fits(allocation.resources, size.resources)
        ),
        key=lambda a: (
            same_amounts(a.resources, size.resources),
            a.capacity_rps,
            -a.cpu_millicores,
        ),
        default=None,
    )


def measured_millicores(service: Service, pod: Pod) -> int:
    """Return the CPU of the largest profiled size that fits into the pod; 0 if there is none."""
    found = fitting(service, pod.target, pod.size)
    return found.cpu_millicores if found else 0


def find_variant(service: Service, name: str) -> Variant | None:
    return next((variant for variant in service.variants if variant.name == name), None)


def allocations_of(service: Service, target: Target) -> tuple[Allocation, ...]:
    variant = find_variant(service, target.variant)
    return tuple(a for a in (variant.allocations if variant else ()) if a.kind == target.kind)


def accuracy_of(service: Service, target: Target) -> float:
    """Return the variant's accuracy, or 0 if it left the spec."""
    variant = find_variant(service, target.variant)
    return variant.accuracy if variant else 0.0


def load_time_s(service: Service, target: Target) -> float:
    """Return the variant's load time in seconds, or 0 if it left the spec."""
    variant = find_variant(service, target.variant)
    return variant.load_time_s if variant else 0.0


def same_amounts(some: Resources, others: Resources) -> bool:
    return some == others or (fits(some, others) and fits(others, some))


def fits(wanted: Resources, room: Resources) -> bool:
    return all(amount <= room.get(name, 0) for name, amount in wanted.items())


def plus(some: Resources, others: Resources, times: int = 1) -> dict[str, int]:
    return {name: some.get(name, 0) + times * others.get(name, 0) for name in {*some, *others}}


def largest(some: Resources, others: Resources) -> dict[str, int]:
    """
    Return the larger amount of each resource: what a pod holds while it is resized between the two.
    """
    return {name: max(some.get(name, 0), others.get(name, 0)) for name in {*some, *others}}


def held_by(pod: Pod) -> dict[str, int]:
    """
    Return what the pod holds from the scheduler's point of view: the size in force and, while a
    resize is pending, the requested size if it is larger. A size that was refused for good holds
    nothing.
    """
    if pod.resize is Resize.REFUSED:
        return dict(pod.size.resources)
    return largest(pod.size.resources, pod.wanted.resources)


def held_in_force(pod: Pod) -> dict[str, int]:
    """
    Return what the pod holds on its node. A deferred resize is not admitted yet; a failing one was.
    """
    return dict(pod.size.resources) if pod.resize is Resize.DEFERRED else held_by(pod)


def held(pods: Iterable[Pod]) -> Resources:
    """Return what all these pods hold together."""
    return total(held_by(pod) for pod in pods)


def total(amounts: Iterable[Resources]) -> Resources:
    found: dict[str, int] = {}
    for each in amounts:
        for name, amount in each.items():
            found[name] = found.get(name, 0) + amount
    return found


def same_size(some: PodSize, other: PodSize) -> bool:
    return some.batch_size == other.batch_size and same_amounts(some.resources, other.resources)


def resizable(has: PodSize, wants: PodSize) -> bool:
    """
    Whether a pod can be resized in place. Only CPU can; a different batch size or number of devices
    needs a new pod.
    """
    return has.batch_size == wants.batch_size and same_amounts(
        {**has.resources, CPU: 0}, {**wants.resources, CPU: 0}
    )


def ready_capacity_rps(service: Service, pods: Iterable[Pod]) -> float:
    return sum(capacity_rps(service, pod) for pod in pods if pod.ready and not pod.leaving)


def running_groups(service: Service, pods: Iterable[Pod]) -> tuple[PodGroup, ...]:
    """Return the running pods of the spec's variants by target and requested size."""
    counts: dict[tuple[Target, PodSize], list[Pod]] = {}
    for pod in pods:
        if not pod.leaving and find_variant(service, pod.target.variant):
            counts.setdefault((pod.target, pod.wanted), []).append(pod)
    return tuple(
        PodGroup(target=target, allocation=as_allocation(service, target, size), pods=len(same))
        for (target, size), same in sorted(counts.items())
    )


def by_target(values: Iterable[tuple[Target, float]]) -> Mapping[Target, float]:
    sums: dict[Target, float] = {}
    for target, value in values:
        sums[target] = sums.get(target, 0.0) + value
    return sums


def pods_by_target(groups: Iterable[PodGroup]) -> dict[Target, int]:
    """
    Return the number of pods by target. A target that runs at several sizes has several groups.
    """
    found: dict[Target, int] = {}
    for group in groups:
        found[group.target] = found.get(group.target, 0) + group.pods
    return found
