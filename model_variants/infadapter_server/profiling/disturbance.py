"""
Detect load of others on the server or the machine during a measurement.

The server counts its arrivals, and we know how many we sent: the rest came from others. The kernel
counts the CPU time of the machine, of the server and of us: the rest was used by other programs,
and what the hypervisor took (steal) by other virtual machines. Either would falsify the
measurement.
"""

import re
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass

from infadapter_server.profiling.processes import (
    MachineTimes,
    cpu_s,
    family,
    machine_times,
)

FOREIGN_SHARE = 0.01
"""Foreign requests that are tolerated, as a share of our own; health probes are fewer."""
FOREIGN_LEAST = 2
OTHERS_SHARE = 0.05
"""CPU of others that is tolerated, as a share of the machine's cores."""
STOLEN_SHARE = 0.03
_SHORTEST_S = 0.2  # below, the kernel's ticks of 10 ms say too little


@dataclass(frozen=True, slots=True, kw_only=True)
class Reading:
    """Counters at one moment; None if unreadable."""

    at_s: float
    arrivals: float | None = None
    machine: MachineTimes | None = None
    ours_s: float = 0.0  # CPU of the generator and of the server


@dataclass(frozen=True, slots=True, kw_only=True)
class Watch:
    """Reads the counters of a server and of the machine it runs on."""

    arrivals: Callable[[], float | None]
    server: int | None  # its process, where it runs on this machine
    generator: int
    cores: int

    def read(self) -> Reading:
        machine = None if self.server is None else machine_times()
        ours = {self.generator} if self.server is None else {self.generator, *family(self.server)}
        return Reading(
            at_s=time.monotonic(),
            arrivals=self.arrivals(),
            machine=machine,
            ours_s=cpu_s(ours),
        )

    def disturbed(self, before: Reading, after: Reading, sent: int) -> str | None:
        """Return what disturbed the measurement between two readings, as a clause, or None."""
        return foreign(before, after, sent) or busy(before, after, self.cores)


def once_each(clauses: Iterable[str]) -> list[str]:
    """Return the clauses without those that differ from an earlier one in numbers only."""
    kinds: dict[str, str] = {}
    for clause in clauses:
        kinds.setdefault(re.sub(r"[\d.e+]+", "", clause), clause)
    return list(kinds.values())


def foreign(before: Reading, after: Reading, sent: int) -> str | None:
    """Return a clause on requests that the server counted and we did not send, or None."""
    if before.arrivals is None or after.arrivals is None:
        return None
    more = after.arrivals - before.arrivals - sent
    if more <= max(FOREIGN_LEAST, FOREIGN_SHARE * sent):
        return None
    rate_rps = more / max(after.at_s - before.at_s, 1e-9)
    return f"somebody else sent the server {rate_rps:.3g} requests/s while it was measured"


def busy(before: Reading, after: Reading, cores: int) -> str | None:
    """Return a clause on CPU time that neither the server nor we used, or None."""
    elapsed_s = after.at_s - before.at_s
    if before.machine is None or after.machine is None or elapsed_s < _SHORTEST_S:
        return None
    all_s = elapsed_s * cores
    stolen = (after.machine.stolen_s - before.machine.stolen_s) / all_s
    if stolen > STOLEN_SHARE:
        return f"the hypervisor took {stolen:.0%} of the machine's CPU for its other guests"
    used_s = after.machine.busy_s - before.machine.busy_s
    others = (used_s - (after.ours_s - before.ours_s)) / all_s
    if others > OTHERS_SHARE:
        return f"other programs used {others:.0%} of the machine's CPU"
    return None
