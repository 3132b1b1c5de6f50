"""
A control group of one process: its CPU quota, and how fast the core below that quota is.

A core that is slower runs for that share of every hundredth of a second, and the quota counts the
time it runs. So a server under a quota runs and stops for as long as it would on such a machine.
"""

import math
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

PERIOD_US = 100_000  # the kubelet's
_SLOW_PERIOD_US = 10_000  # as short as the kernel's clock, of 250 ticks a second, lets one be
_LEAST_US = 1_000  # the kernel refuses less
_WEIGHT = 4  # times that of any other process: a node promises no CPU that it does not have
_INNER = "core"


@dataclass(frozen=True, slots=True)
class Group:
    """A control group of one process, on cores of this speed."""

    top: Path
    speed: float = 1.0

    @property
    def folder(self) -> Path:
        """The group that the process is in; where cores are slower, below the one that slows."""
        return self.top / _INNER if self.speed < 1 else self.top

    def make(self) -> None:
        """Let its processes go before others, as slowly as they are to. Raises OSError."""
        self.top.mkdir()
        _prefer(self.top)
        if self.speed < 1:
            _write_quota(self.top, math.ceil(self.speed * _SLOW_PERIOD_US), _SLOW_PERIOD_US)
            if (self.top / "cgroup.subtree_control").exists():
                (self.top / "cgroup.subtree_control").write_text("+cpu")
            self.folder.mkdir()

    def set_quota(self, millicores: int) -> None:
        """Takes effect within a period, on what runs. Raises OSError."""
        _write_quota(self.folder, int(self.speed * PERIOD_US * millicores / 1000), PERIOD_US)

    def remove(self) -> None:
        """It must be empty; a group that is still in use stays, and is removed at the end."""
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
