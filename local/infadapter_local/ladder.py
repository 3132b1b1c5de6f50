"""
The demo's grouped variant: one server with all five networks, each an operating point.

Since they are the other variants' networks, its profile follows from theirs, which were just
calibrated. Only its start time and one size are measured.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from statistics import median

from infadapter_local.calibration import checked_sizes
from infadapter_local.cgroups import Cores, Quotas
from infadapter_local.measure import OnStep, running
from infadapter_local.pods import Start
from infadapter_local.rescaling import rescaled_row
from infadapter_local.spec import NAME, PERCENTILE, SLO_S
from infadapter_profiles.grouped import grouped
from infadapter_profiles.profile import KnownCapacity, Profile, ProfiledAllocation
from infadapter_profiles.sizes import PodSize
from infadapter_server.profiling.allowed import ask_points
from infadapter_server.profiling.profiler import ProfileError, measure_saturation
from infadapter_solver.problem import CPU

VARIANT = "ladder"
_LOOK_S = 1.5
_BATCH_SIZES = [1, 2, 4]
"""
A start warms up these batch sizes for every network, and so takes as long as glyph-5's with 8.
"""


@dataclass(frozen=True, slots=True)
class LadderCheck:
    """The result of a short measurement of the ladder's server on this machine."""

    load_s: float
    millicores: int
    saturation_rps: Mapping[str, float]  # by point


def write_ladder(folder: Path, networks: Sequence[str]) -> Path:
    """Write the model's folder for `--model NAME=FOLDER`. Raises OSError."""
    model = folder / VARIANT
    (model / "1").mkdir(parents=True, exist_ok=True)
    config = f"ladder: [{', '.join(networks)}]\nbatch_sizes: {_BATCH_SIZES}\n"
    (model / "config.yaml").write_text(config, encoding="utf-8")
    return model


def server_words(model: Path) -> list[str]:
    """Return the server's command-line arguments for the ladder."""
    return ["--model", f"{NAME}={model}"]


def ladder_profile(profiles: Sequence[Profile]) -> Profile:
    """
    Return the ladder's profile from those of its networks, in the sizes at which all are measured.
    """
    sizes = sorted({row.size for profile in profiles for row in profile.allocations})
    return grouped(VARIANT, [_complete(profile, sizes) for profile in profiles])


async def check_ladder(
    start: Start, model: Path, on_step: OnStep, limits: Quotas | Cores
) -> LadderCheck:
    """
    Measure the start time on the smallest checked size, and each point on the medium one. Raises
    ProfileError or OSError.
    """
    sizes = checked_sizes(limits)
    millicores = sizes[len(sizes) // 2]
    found = {}
    async with running(start, VARIANT, server_words(model), sizes[0]) as server:
        if limits.resizable:
            await server.resize(millicores)
        allowed = await ask_points(server.load.endpoint)
        if allowed is None:
            raise ProfileError("The ladder's server does not tell its operating points.")
        for point in allowed.points:
            on_step(f"{VARIANT} at {point.name} on {millicores}m", _LOOK_S)
            async with allowed.only(point.name):
                found[point.name] = await measure_saturation(server.load, seconds=_LOOK_S)
    return LadderCheck(server.load_s, millicores, found)


def checked(profile: Profile, check: LadderCheck) -> Profile:
    """
    Return the profile with the measured start time, and with rates no higher than measured. One
    ratio applies to all points: a measurement of one is short, and a slowdown of the server affects
    all networks.
    """
    ratio = min(1.0, median(speeds(profile, check).values()))
    return replace(
        profile,
        load_time_s=check.load_s,
        allocations=tuple(
            rescaled_row(row, (row.saturation_rps or 0.0) * ratio) for row in profile.allocations
        ),
    )


def speeds(profile: Profile, check: LadderCheck) -> dict[str, float]:
    """Return the measured rate over that of the network's own profile, by point."""
    return {
        row.operating_point: check.saturation_rps[row.operating_point] / row.saturation_rps
        for row in profile.allocations
        if row.operating_point and row.saturation_rps and row.resources[CPU] == check.millicores
    }


def _complete(profile: Profile, sizes: Sequence[PodSize]) -> Profile:
    measured = {row.size for row in profile.allocations}
    none = KnownCapacity(latency_s=SLO_S, percentile=PERCENTILE, rps=0.0)
    missing = [
        ProfiledAllocation(size=size, capacity=(none,)) for size in sizes if size not in measured
    ]
    return replace(profile, allocations=(*missing, *profile.allocations))
