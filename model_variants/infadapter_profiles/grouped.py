"""
Group several variants into one whose pods hold all networks, each as an operating point.

The profiles are reused without measuring again. The server runs one network at a time, so each
performs in a pod of a given size as it did there alone. Switching is free, since all networks are
resident. The cost is the sum of their memory and load times.
"""

from collections.abc import Iterable, Sequence
from dataclasses import replace

from infadapter_profiles.profile import OperatingPoint, Profile, ProfiledAllocation
from infadapter_profiles.sizes import PodSize


class NotGroupable(ValueError):
    """The profiles can't be combined into one variant; the message is a sentence that says why."""


def grouped(name: str, profiles: Iterable[Profile]) -> Profile:
    """
    Return the group's profile, for the sizes at which all variants were measured.

    Memory is the sum, which counts the server's own memory once per network: an overestimate is
    safer than an underestimate. Raises NotGroupable.
    """
    own = tuple(profiles)
    sizes = _common_sizes(own)
    _check(own, sizes)
    return Profile(
        variant=name,
        accuracy=max(profile.accuracy for profile in own),
        load_time_s=sum(profile.load_time_s for profile in own),
        warm_load_time_s=_sum(profile.warm_load_time_s for profile in own),
        operating_points=tuple(
            OperatingPoint(name=profile.variant, accuracy=profile.accuracy)
            for profile in sorted(own, key=lambda profile: -profile.accuracy)
        ),
        allocations=tuple(row for size in sizes for row in _rows(own, size)),
    )


def _common_sizes(profiles: Sequence[Profile]) -> list[PodSize]:
    """Return the sizes that all profiles have, in the order of the first profile."""
    measured = [{row.size for row in profile.allocations} for profile in profiles]
    first = profiles[0].allocations if profiles else ()
    return [size for size in dict.fromkeys(row.size for row in first) if _in_all(size, measured)]


def _in_all(size: PodSize, measured: Iterable[set[PodSize]]) -> bool:
    return all(size in sizes for sizes in measured)


def _rows(profiles: Iterable[Profile], size: PodSize) -> list[ProfiledAllocation]:
    rows = [
        (profile.variant, row)
        for profile in profiles
        for row in profile.allocations
        if row.size == size
    ]
    memory_bytes = _sum(row.memory_bytes for _, row in rows)
    held = None if memory_bytes is None else int(memory_bytes)
    return [replace(row, operating_point=network, memory_bytes=held) for network, row in rows]


def _check(profiles: Sequence[Profile], sizes: Sequence[PodSize]) -> None:
    names = [profile.variant for profile in profiles]
    if within := [profile.variant for profile in profiles if profile.operating_points]:
        raise NotGroupable(f"{within[0]} has operating points already: leave it as it is.")
    if len(set(names)) < max(2, len(names)):
        raise NotGroupable("a group takes two or more variants of different names.")
    if not sizes:
        raise NotGroupable(
            f"no size of pod was measured for all of {', '.join(names)}; "
            "measure them at the same sizes."
        )


def _sum(amounts: Iterable[float | None]) -> float | None:
    """Return the sum, or None if an amount is unknown."""
    known = tuple(amounts)
    return None if None in known else sum(amount for amount in known if amount is not None)
