"""
CPU limits on processes, as the kubelet sets them on pods: a quota of a control group.

Both versions of control groups are supported, wherever this user may create a group: below the
process's own group or one of its ancestors. If that is impossible, a process is pinned to one core
and has no quota.
"""

import os
import subprocess
import sys
from collections import Counter
from collections.abc import Iterable, Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from itertools import count
from pathlib import Path

from infadapter_local import launch
from infadapter_local.groups import Group
from infadapter_server.serving.quota import MOUNTS_V1, MOUNTS_V2, own_groups, with_those_above

WHOLE_CORE = 1000  # millicores; a server computes on one thread


@dataclass(frozen=True, slots=True)
class Quotas:
    """
    Limits by quota, which may change while a process runs. `speed` makes processes as fast as on a
    machine that many times as fast as this one: below 1 by slower cores, above 1 by more cores.
    """

    parent: Path
    speed: float = 1.0
    resizable: bool = field(default=True, init=False)
    _numbers: Iterator[int] = field(default_factory=count, init=False)

    def group(self, millicores: int) -> Group:
        """Make a group with this quota. Raises OSError."""
        name = f"infadapter-{os.getpid()}-{next(self._numbers)}"
        group = Group(self.parent / name, self.speed)
        group.make()
        group.set_quota(millicores)
        return group

    def has(self, millicores: int) -> bool:
        """Whether a pod can have this size: one thread uses at most one core."""
        return millicores * max(1.0, self.speed) <= WHOLE_CORE

    def remove_all(self) -> None:
        for folder in self.parent.glob(f"infadapter-{os.getpid()}-*"):
            Group(folder).remove()


@dataclass(frozen=True, slots=True)
class Cores:
    """Limits without control groups: each process is pinned to one core, the only size."""

    resizable: bool = field(default=False, init=False)
    speed: float = field(default=1.0, init=False)

    def has(self, millicores: int) -> bool:
        """Whether a pod can have this size."""
        return millicores == WHOLE_CORE

    def least_used(self, used: Iterable[int | None]) -> int:
        """Return the core with the fewest of our processes; `used` are their cores."""
        taken = Counter(used)
        return min(sorted(os.sched_getaffinity(0)), key=lambda core: taken[core])


def cpu_limits(root: Path = Path("/"), speed: float = 1.0) -> Quotas | Cores:
    """Return the best limits that this machine permits, after trying them on a process."""
    for parent in _candidates(root):
        quotas = Quotas(parent, speed)
        with suppress(OSError):
            if _works(quotas):
                return quotas
    return Cores()


def _works(quotas: Quotas) -> bool:
    try:
        group = quotas.group(500)
        command = launch_command(["true"], str(group.folder))
        return subprocess.run(command, stderr=subprocess.DEVNULL, timeout=10).returncode == 0
    finally:
        quotas.remove_all()


def launch_command(
    command: list[str], group: str = launch.NO_GROUP, core: int | None = None
) -> list[str]:
    """
    Return a command that enters the group or core, executes `command`, and dies with this process.
    """
    script = str(Path(launch.__file__))
    where = [group, "-" if core is None else str(core)]
    return [sys.executable, "-I", "-S", script, str(os.getpid()), *where, *command]


def _candidates(root: Path) -> Iterator[Path]:
    """Yield the process's own group and its ancestors that limit CPU, in both versions."""
    version_1, version_2 = own_groups(root)
    for mounts, own, marker in (
        (MOUNTS_V2, version_2, "cgroup.controllers"),
        (MOUNTS_V1, version_1, "cpu.cfs_quota_us"),
    ):
        for mount in mounts:
            folders = with_those_above(root / mount, own)
            yield from (folder for folder in folders if _limits_cpu(folder, marker))


def _limits_cpu(folder: Path, marker: str) -> bool:
    if marker == "cpu.cfs_quota_us":
        return (folder / "cgroup.procs").exists() and "cpu" in str(folder)
    subtree = folder / "cgroup.subtree_control"
    with suppress(OSError):
        return "cpu" in subtree.read_text().split()
    return False


def remove_abandoned() -> None:
    """Remove the empty groups of demos that were killed."""
    for parent in _candidates(Path("/")):
        for folder in parent.glob("infadapter-*-*"):
            if not Path(f"/proc/{folder.name.split('-')[1]}").exists():
                Group(folder).remove()
