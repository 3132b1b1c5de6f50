"""
The number of threads for an inference: the CPU quota of this process's control group.

More threads than the quota spend it waiting for each other (measured: two threads on a quota of one
core answer half as many requests as one). The quota changes when the pod is resized in place, so it
is read again and again. Both versions of control groups are supported.
"""

import os
from collections.abc import Iterator
from pathlib import Path

__all__ = [
    "MOUNTS_V1",
    "MOUNTS_V2",
    "cpu_quota",
    "own_groups",
    "stopped_s",
    "thread_limit",
    "with_those_above",
]

MOUNTS_V2 = ("sys/fs/cgroup", "sys/fs/cgroup/unified")
MOUNTS_V1 = ("sys/fs/cgroup/cpu", "sys/fs/cgroup/cpu,cpuacct")


def thread_limit(root: Path = Path("/"), *, ceiling: int | None = None) -> int:
    """Return how many threads fit into quota, affinity and ceiling, rounded down, at least one."""
    bounds = [len(os.sched_getaffinity(0)), cpu_quota(root), ceiling]
    return max(1, int(min(bound for bound in bounds if bound is not None)))


def cpu_quota(root: Path = Path("/")) -> float | None:
    """
    Return the quota of this process in cores, None without one. The smallest quota of the group and
    all above it applies.
    """
    return min((quota for _, quota in _limited(root)), default=None)


def stopped_s(root: Path = Path("/")) -> float:
    """
    Return for how long the quota has throttled this process, summed over CPUs; 0 without a quota.
    Of the nearest group that has one: a quota above it determines the machine's speed.
    """
    nearest = next((group for group, _ in _limited(root)), None)
    return 0.0 if nearest is None else _stopped_s(_text(nearest / "cpu.stat") or "")


def _stopped_s(stat: str) -> float:
    """Parse cpu.stat: version 1 counts nanoseconds, version 2 microseconds."""
    counted = dict(line.split(" ", 1) for line in stat.splitlines() if " " in line)
    for name, seconds in (("throttled_usec", 1e-6), ("throttled_time", 1e-9)):
        if counted.get(name, "").strip().isdecimal():
            return seconds * int(counted[name])
    return 0.0


def _limited(root: Path) -> Iterator[tuple[Path, float]]:
    """Yield the groups with a quota, nearest first, and the quota."""
    version_1, version_2 = own_groups(root)
    for mounts, own, quota_of in (
        (MOUNTS_V2, version_2, _quota_v2),
        (MOUNTS_V1, version_1, _quota_v1),
    ):
        for group in (group for mount in mounts for group in with_those_above(root / mount, own)):
            quota = quota_of(group)
            if quota is not None:
                yield group, quota


def own_groups(root: Path) -> tuple[str, str]:
    """Return the paths of this process's group in version 1's cpu hierarchy and in version 2's."""
    version_1 = version_2 = "/"
    for line in (_text(root / "proc/self/cgroup") or "").splitlines():
        identifier, _, rest = line.partition(":")
        controllers, _, group = rest.partition(":")
        if identifier == "0":
            version_2 = group
        elif "cpu" in controllers.split(","):
            version_1 = group
    return version_1, version_2


def with_those_above(mount: Path, group: str) -> Iterator[Path]:
    """
    Yield the group's folder and those above it, up to the mount point.

    In a container the path may be the host's, which is not visible there; then the mount point is
    the container's own group. Missing folders are harmless.
    """
    parts = [part for part in group.split("/") if part]
    if ".." in parts:  # a group outside of this namespace
        parts = []
    for length in range(len(parts), -1, -1):
        yield mount.joinpath(*parts[:length])


def _quota_v2(group: Path) -> float | None:
    """Parse cpu.max: `QUOTA PERIOD` in microseconds; QUOTA is `max` if there is none."""
    quota, _, period = (_text(group / "cpu.max") or "").partition(" ")
    return _cores(quota, period)


def _quota_v1(group: Path) -> float | None:
    """Parse cpu.cfs_quota_us, which is -1 if there is none."""
    quota = _text(group / "cpu.cfs_quota_us") or ""
    return _cores(quota, _text(group / "cpu.cfs_period_us") or "")


def _cores(quota_us: str, period_us: str) -> float | None:
    quota_us, period_us = quota_us.strip(), period_us.strip()
    if not (quota_us.isdecimal() and period_us.isdecimal() and int(period_us) > 0):
        return None
    return int(quota_us) / int(period_us)


def _text(path: Path) -> str | None:
    try:
        return path.read_text()
    except (OSError, UnicodeDecodeError):
        return None
