"""
Linux' statistics of processes and of the machine: CPU, memory, ownership.

On other systems, and for processes of other users or containers, the result is None or empty:
nothing is guessed.
"""

import os
import re
from collections.abc import Iterable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

PROC = Path("/proc")
_TICKS_S = 1 / os.sysconf("SC_CLK_TCK")
_LISTENS = "0A"
_USER, _NICE, _SYSTEM, _IRQ, _SOFTIRQ, _STEAL = 0, 1, 2, 5, 6, 7


@dataclass(frozen=True, slots=True, kw_only=True)
class MachineTimes:
    """CPU time since the machine started, s."""

    busy_s: float
    stolen_s: float  # taken by the hypervisor for its other guests


def machine_times() -> MachineTimes | None:
    try:
        first = (PROC / "stat").read_text().partition("\n")[0]
    except OSError:
        return None
    ticks = [int(each) for each in first.split()[1:9]]
    busy = sum(ticks[each] for each in (_USER, _NICE, _SYSTEM, _IRQ, _SOFTIRQ))
    return MachineTimes(busy_s=busy * _TICKS_S, stolen_s=ticks[_STEAL] * _TICKS_S)


def listening_process(port: int) -> int | None:
    """Return the process that listens on a port of this machine, if visible."""
    inodes = set(_listening_inodes(port))
    if not inodes:
        return None
    wanted = {f"socket:[{inode}]" for inode in inodes}
    for process in _processes():
        with suppress(OSError):
            for descriptor in (PROC / str(process) / "fd").iterdir():
                with suppress(OSError):
                    if os.readlink(descriptor) in wanted:
                        return process
    return None


def family(process: int) -> set[int]:
    """Return a process and all its descendants."""
    parents = {each: parent for each in _processes() if (parent := _parent(each)) is not None}
    found = {process}
    while more := {each for each, parent in parents.items() if parent in found} - found:
        found |= more
    return found


def cpu_s(processes: Iterable[int]) -> float:
    """
    Return the CPU time of the processes and of their ended children; processes that are gone count
    nothing.
    """
    return sum(_cpu_s(each) for each in processes)


def peak_bytes(processes: Iterable[int]) -> int | None:
    """Return the sum of the processes' peak memory, an upper bound of the peak of the sum."""
    peaks = [peak for each in processes if (peak := _peak_bytes(each)) is not None]
    return sum(peaks) or None


def mapped_files(processes: Iterable[int]) -> set[Path]:
    """
    Return the files that the processes have mapped: libraries, and weights if those are mapped.
    """
    found: set[Path] = set()
    for each in processes:
        with suppress(OSError):
            maps = (PROC / str(each) / "maps").read_text()
            found |= {Path(m[1]) for m in re.finditer(r" (/[^\n]+)$", maps, re.MULTILINE)}
    return {path for path in found if path.is_file()}


def forget(files: Iterable[Path]) -> None:
    """
    Drop the page cache of the files, so that the next start reads them from disk. Pages that other
    processes have mapped stay.
    """
    for path in files:
        with suppress(OSError, AttributeError), path.open("rb") as file:
            os.posix_fadvise(file.fileno(), 0, 0, os.POSIX_FADV_DONTNEED)


def _processes() -> Iterator[int]:
    with suppress(OSError):
        yield from (int(each.name) for each in PROC.iterdir() if each.name.isdecimal())


def _listening_inodes(port: int) -> Iterator[str]:
    for table in ("tcp", "tcp6"):
        with suppress(OSError):
            for line in (PROC / "net" / table).read_text().splitlines()[1:]:
                fields = line.split()
                if fields[3] == _LISTENS and int(fields[1].rpartition(":")[2], 16) == port:
                    yield fields[9]


def _stat(process: int) -> list[str]:
    """Return the fields after the name, which may contain spaces and brackets."""
    try:
        return (PROC / str(process) / "stat").read_text().rpartition(")")[2].split()
    except OSError:
        return []


def _parent(process: int) -> int | None:
    fields = _stat(process)
    return int(fields[1]) if fields else None


def _cpu_s(process: int) -> float:
    fields = _stat(process)
    return sum(int(each) for each in fields[11:15]) * _TICKS_S if fields else 0.0


def _peak_bytes(process: int) -> int | None:
    with suppress(OSError):
        status = (PROC / str(process) / "status").read_text()
        found = re.search(r"^VmHWM:\s+(\d+) kB$", status, re.MULTILINE)
        return int(found[1]) * 1024 if found else None
    return None
