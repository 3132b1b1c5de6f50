"""
CPU limits on processes, as the kubelet sets them on pods: a quota of a control group.

Both versions of control groups, wherever this user may make a group: below the own group or one of
those above it. Where that is nowhere, a process gets one core and no quota.
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
from infadapter_variants.quota import MOUNTS_V1, MOUNTS_V2, own_groups, with_those_above

PERIOD_US = 100_000  # the kubelet's
_LEAST_US = 1_000  # the kernel refuses less
_WEIGHT = 4  # times that of any other process: a node promises no CPU that it does not have


@dataclass(frozen=True, slots=True)
class Group:
    """A control group of one process."""

    folder: Path

    def set_quota(self, millicores: int) -> None:
        """Takes effect within a period, on what runs. Raises OSError."""
        quota_us = max(_LEAST_US, PERIOD_US * millicores // 1000)
        if (self.folder / "cpu.max").exists():
            (self.folder / "cpu.max").write_text(f"{quota_us} {PERIOD_US}")
        else:
            (self.folder / "cpu.cfs_period_us").write_text(str(PERIOD_US))
            (self.folder / "cpu.cfs_quota_us").write_text(str(quota_us))

    def prefer(self) -> None:
        """Let its processes go before others. Raises OSError."""
        if (self.folder / "cpu.weight").exists():
            (self.folder / "cpu.weight").write_text(str(100 * _WEIGHT))
        elif (self.folder / "cpu.shares").exists():
            (self.folder / "cpu.shares").write_text(str(1024 * _WEIGHT))

    def remove(self) -> None:
        """It must be empty; a group that is still in use stays, and is removed at the end."""
        with suppress(OSError):
            self.folder.rmdir()


@dataclass(frozen=True, slots=True)
class Quotas:
    """Any number of processes, each with a quota that may change while it runs."""

    parent: Path
    resizable: bool = field(default=True, init=False)
    _numbers: Iterator[int] = field(default_factory=count, init=False)

    def group(self, millicores: int) -> Group:
        """Make a group with this quota. Raises OSError."""
        folder = self.parent / f"infadapter-{os.getpid()}-{next(self._numbers)}"
        folder.mkdir()
        group = Group(folder)
        group.prefer()
        group.set_quota(millicores)
        return group

    def remove_all(self) -> None:
        for folder in self.parent.glob(f"infadapter-{os.getpid()}-*"):
            Group(folder).remove()


@dataclass(frozen=True, slots=True)
class Cores:
    """No control groups: each process is pinned to one core, and all have the size of one."""

    resizable: bool = field(default=False, init=False)

    def least_used(self, used: Iterable[int | None]) -> int:
        """The core on which the fewest of our processes run; `used` are theirs."""
        taken = Counter(used)
        return min(sorted(os.sched_getaffinity(0)), key=lambda core: taken[core])


def cpu_limits(root: Path = Path("/")) -> Quotas | Cores:
    """Return the best that this machine permits, after trying it on a process."""
    for parent in _candidates(root):
        quotas = Quotas(parent)
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
    """Return the command that becomes `command` there, and dies with this process."""
    script = str(Path(launch.__file__))
    where = [group, "-" if core is None else str(core)]
    return [sys.executable, "-I", "-S", script, str(os.getpid()), *where, *command]


def _candidates(root: Path) -> Iterator[Path]:
    """The own group and those above it that limit CPU, in both versions."""
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


def remove_abandoned(root: Path = Path("/")) -> None:
    """Remove the empty groups of demos that were killed."""
    for parent in _candidates(root):
        for folder in parent.glob("infadapter-*-*"):
            if not Path(f"/proc/{folder.name.split('-')[1]}").exists():
                Group(folder).remove()
