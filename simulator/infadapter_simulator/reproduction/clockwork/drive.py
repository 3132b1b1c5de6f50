"""Drive a policy through arrivals in virtual time, and sample its executors."""

from dataclasses import dataclass, field
from typing import NamedTuple

from infadapter_scheduler import Emulation, Policy, Settled, Source, World, emulate
from infadapter_simulator.reproduction.experiment import Tell


class Sample(NamedTuple):
    """Totals of all executors since the beginning."""

    at_s: float
    busy_s: float
    loading_s: float
    loads: int


@dataclass(slots=True)
class Sampler:
    """Samples the executors periodically, and reports the progress."""

    every_s: float
    seconds: float
    tell: Tell
    samples: list[Sample] = field(default_factory=list)
    _due_s: float = 0.0

    def __call__(self, emulation: Emulation, now_s: float) -> None:
        if now_s < self._due_s:
            return
        self._due_s += self.every_s
        machines = emulation.machines.values()
        self.samples.append(
            Sample(
                now_s,
                sum(machine.busy_s for machine in machines),
                sum(machine.loading_s for machine in machines),
                sum(machine.loads for machine in machines),
            )
        )
        self.tell(int(now_s), int(self.seconds))


def drive(
    policy: Policy, source: Source, world: World, settled: Settled, sampler: Sampler
) -> list[Sample]:
    emulate(policy, source, world, settled, sampler)
    return sampler.samples
