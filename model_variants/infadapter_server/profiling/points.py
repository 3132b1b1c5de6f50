"""Choose the operating points to measure: as many as there is time for, and far apart."""

import math
from collections.abc import Mapping, Sequence

from infadapter_profiles.document import MOST_ITEMS
from infadapter_profiles.profile import OperatingPoint, Profile
from infadapter_profiles.sizes import Resources
from infadapter_server.profiling.profiler import ProfileError

ALL = "all"
MOST_POINTS = 8
"""Points measured unless more are requested: each takes as long as a server without points."""
_HALVINGS = 60


class PointsError(ProfileError):
    """The requested or already measured points do not fit the server's."""


def wanted(
    asked: str | tuple[str, ...] | None,
    there: Sequence[OperatingPoint],
    before: Profile | None,
) -> tuple[OperatingPoint, ...]:
    """
    Return the candidate points: the requested ones, else those of the profile, so that all its
    sizes have the same points, else all. Raises PointsError if these contradict each other.
    """
    known = {point.name: point for point in there}
    had = () if before is None else tuple(point.name for point in before.operating_points)
    if before is not None and before.allocations:
        _check_profile(before.variant, had, tuple(known))
    if asked is not None and not known:
        raise PointsError(
            "The server tells of no operating points of this model: leave --points out, or check "
            "the URL."
        )
    if asked is None:
        return tuple(known[name] for name in had or known)
    names = tuple(known) if isinstance(asked, str) else asked
    _check_names("--points names", names, tuple(known))
    return tuple(known[name] for name in dict.fromkeys(names))


def _check_profile(name: str, had: Sequence[str], there: Sequence[str]) -> None:
    otherwise = "give the profile another --name or --output"
    if had and not there:
        raise PointsError(
            f"The profile {name} is of the operating points {', '.join(had)}, and the server has "
            f"none: {otherwise}."
        )
    if there and not had:
        raise PointsError(
            f"The profile {name} is of a server without operating points, and this one has "
            f"{', '.join(there)}: {otherwise}."
        )
    _check_names(f"The profile {name} is of", had, there, f": {otherwise}")


def _check_names(
    what: str, names: Sequence[str], there: Sequence[str], otherwise: str = ""
) -> None:
    unknown = [name for name in names if name not in there]
    if unknown:
        raise PointsError(
            f"{what} the operating point {unknown[0][:80]}, and the server has "
            f"{', '.join(there)}{otherwise}."
        )


def most_points(asked: str | tuple[str, ...] | None) -> int:
    """
    Return the largest number of measured points, as far as it is known before the server is asked.
    """
    if asked is None:
        return MOST_POINTS
    return MOST_ITEMS if isinstance(asked, str) else len(asked)


def check_told(tells: bool, lists: bool, accuracy: float | None) -> None:
    """Raise PointsError if a server with operating points cannot be measured by point."""
    if lists and not tells:
        raise PointsError(
            "The server's model has operating points, and the server does not say which of them "
            "serve: let this command reach /v2/repository/models/NAME/points."
        )
    if tells and accuracy is not None:
        raise PointsError(
            "The server has operating points, each with an accuracy of its own: leave --accuracy "
            "out, or measure them with --labelled."
        )


def check_rows(profile: Profile, resources: Resources, points: Sequence[OperatingPoint]) -> None:
    """Raise PointsError if the profile would have more rows than allowed."""
    names = {point.name for point in points}
    others = sum(
        row.resources != resources or row.operating_point not in names
        for row in profile.allocations
    )
    if others + len(names) > MOST_ITEMS:
        raise PointsError(
            f"{len(names)} operating points would make {others + len(names)} rows of the profile "
            f"{profile.variant}, which may have {MOST_ITEMS}: name fewer by --points."
        )


def spread(times_s: Mapping[str, float], most: int = MOST_POINTS) -> tuple[str, ...]:
    """
    Return this many points such that the smallest ratio between neighbouring times is as large as
    possible; the fastest and the slowest are included. The order is that of the input.
    """
    if len(times_s) <= most:
        return tuple(times_s)
    names = sorted(times_s, key=times_s.__getitem__)
    logs = [math.log(max(times_s[name], 1e-9)) for name in names]
    near, far = 0.0, logs[-1] - logs[0]
    for _ in range(_HALVINGS):
        gap = (near + far) / 2
        near, far = (gap, far) if len(_apart(logs, gap)) >= most else (near, gap)
    kept = {names[place] for place in (*_apart(logs, near)[: most - 1], len(names) - 1)}
    return tuple(name for name in times_s if name in kept)


def _apart(logs: Sequence[float], gap: float) -> list[int]:
    """Return the indices of as many points as can be this far apart, from the first on."""
    kept: list[int] = []
    for place, log in enumerate(logs):
        if not kept or log - logs[kept[-1]] >= gap:
            kept.append(place)
    return kept
