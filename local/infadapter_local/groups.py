"""
A process's control group: its CPU quota, and the speed of its cores.

A slower core is emulated by running for that share of every hundredth of a second. The quota counts
time that the process runs, so a server under a quota runs and stops for as long as on such a
machine.
"""

import math
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

PERIOD_US = 100_000  # as the kubelet sets it
_SLOW_PERIOD_US = 10_000  # the shortest that a kernel of 250 ticks a second keeps
_LEAST_US = 1_000  # the kernel's minimum
_WEIGHT = 4  # relative to other processes: on a node, requested CPU is guaranteed
_INNER = "core"


@dataclass(frozen=True, slots=True)
class Group:
    """A control group for one process, on cores of this speed."""

    top: Path
    speed: float = 1.0

    @property
    def folder(self) -> Path:
        """The group that the process enters; with slower cores, below the group that slows them."""
        return self.top / _INNER if self.speed < 1 else self.top

    def make(self) -> None:
        """Create the group with its weight and speed. Raises OSError."""
        self.top.mkdir()
        _prefer(self.top)
        if self.speed < 1:
            _write_quota(self.top, math.ceil(self.speed * _SLOW_PERIOD_US), _SLOW_PERIOD_US)
            if (self.top / "cgroup.subtree_control").exists():
                (self.top / "cgroup.subtree_control").write_text("+cpu")
            self.folder.mkdir()

    def set_quota(self, millicores: int) -> None:
        """Set the quota, in force within one period also for running processes. Raises OSError."""
        _write_quota(self.folder, int(self.speed * PERIOD_US * millicores / 1000), PERIOD_US)

    def remove(self) -> None:
        """Remove the group if it is empty; one in use is removed at the end."""
        for folder in (self.top / _INNER, self.top):
            with suppress(OSError):
                folder.rmdir()


def _write_quota(folder: Path, quota_us: int, period_us: int) -> None:
    quota_us = max(_LEAST_US, quota_us)
    if (folder / "cpu.max").exists():
        (folder / "cpu.max").write_text(f"{quota_us} {period_us}")
    else:
        (folder / "cpu.cfs_period_us").write_text(str(period_us))
        (folder / "cpu.cfs_quota_us").write_text(str(quota_us))


def _prefer(folder: Path) -> None:
    if (folder / "cpu.weight").exists():
        (folder / "cpu.weight").write_text(str(100 * _WEIGHT))
    elif (folder / "cpu.shares").exists():
        (folder / "cpu.shares").write_text(str(1024 * _WEIGHT))
