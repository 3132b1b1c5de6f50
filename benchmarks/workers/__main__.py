"""Many models on several worker processes in bounded memory, one of which is killed.

\b
    python -m benchmarks.workers --seconds 120

One controller, real torch, workers over gRPC on this machine; each worker has memory for some of
the models. Beside it, under the same arrivals, one process that holds all. Capacity is that of bare
torch on one core, each model in its best batch. A worker is killed after half of the time and is
there again after three quarters. Figures of a machine that has other work to do mean little.
"""

import os
import signal
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from threading import Thread
from time import process_time

import click

from benchmarks.machine import machine
from benchmarks.workers.cluster import WorkerProcess, cluster, peak_bytes
from benchmarks.workers.controller import Controller, Kept
from benchmarks.workers.offered import Request, capacity_rps, catalogue, image, poisson
from benchmarks.workers.profiled import PAGE_BYTES, Profile, profiles
from benchmarks.workers.told import Phase, mib, phase_table, reasons
from infadapter_scheduler import Scheduler
from infadapter_scheduler.buffer import MOST_OF_THE_TIME
from infadapter_server.executors.remote.executor import RemoteExecutor
from infadapter_server.networks.stored import Stored

LAG_S = 0.003
"""Of an order to a worker, and of a report back."""

Happenings = Sequence[tuple[float, Callable[[], None]]]


@dataclass(frozen=True, slots=True)
class Scene:
    stored: Mapping[str, Stored]
    profiles: Mapping[str, Profile]
    requests: Sequence[Request]
    slo_s: float

    @property
    def weights_bytes(self) -> int:
        return sum(self.profiles[model.variant].weights_bytes for model in self.stored.values())

    @property
    def pages(self) -> int:
        return sum(self.profiles[model.variant].pages for model in self.stored.values())

    def run(
        self, workers: Sequence[WorkerProcess], pages: int | None, happenings: Happenings = ()
    ) -> Kept:
        slower = max(1.0, len(workers) / len(os.sched_getaffinity(0)))
        models = (
            self.profiles[model.variant].model(name, slower) for name, model in self.stored.items()
        )
        kernel = Scheduler(models, most_buffer=MOST_OF_THE_TIME, lag_s=LAG_S)
        executors = [RemoteExecutor(worker.name, worker.address) for worker in workers]
        inputs = {name: image(model) for name, model in self.stored.items()}
        controller = Controller(kernel, executors, self.stored, inputs, pages)
        controller.start()
        controller.run(self.requests, self.slo_s, happenings)
        for executor in executors:
            executor.stop(within_s=1)
        return controller.kept


@click.command(help=__doc__)
@click.option("--seconds", type=click.FloatRange(min=8), default=120.0, show_default=True)
@click.option("--workers", type=click.IntRange(min=2), default=3, show_default=True)
@click.option("--models", type=click.IntRange(min=1), default=30, show_default=True)
@click.option(
    "--memory-models",
    type=click.IntRange(min=1),
    default=10,
    show_default=True,
    help="So many models of average size have room in each worker.",
)
@click.option("--variants", default="glyph-2,glyph-3,glyph-4", show_default=True)
@click.option("--load", type=click.FloatRange(min=0.01), default=0.6, show_default=True)
@click.option("--slo-ms", type=click.FloatRange(min=1), default=250.0, show_default=True)
@click.option("--seed", type=int, default=1, show_default=True)
def main(
    seconds: float,
    workers: int,
    models: int,
    memory_models: int,
    variants: str,
    load: float,
    slo_ms: float,
    seed: int,
) -> None:
    print(machine("torch", "grpcio"))
    stored = catalogue(models, tuple(variants.split(",")))
    with cluster(workers) as processes:
        bare = processes[0].peak_bytes
        found = profiles([worker.address for worker in processes], stored)
        _print_profiles(found)
        capacity = capacity_rps(stored, {name: p.execution_s for name, p in found.items()})
        requests = poisson(list(stored), load * capacity, seconds, seed)
        scene = Scene(stored, found, requests, slo_ms / 1000)
        print(f"capacity of one core {capacity:.0f}/s; offered {load * capacity:.0f}/s")
        _several(scene, processes, scene.pages * memory_models // models, seconds)
        several = [worker.peak_bytes for worker in processes]
    with cluster(1) as processes:
        profiles([processes[0].address], stored)
        _one(scene, processes, seconds)
        one = processes[0].peak_bytes
    print("\nmost physical memory ever (VmHWM), MiB")
    print(f"a worker before it loads {mib([bare])}; all weights alone {mib([scene.weights_bytes])}")
    print(f"each worker {mib(several)}; the one that holds all {mib([one])}")
    print(f"the controller {mib([peak_bytes()])}")
    each_ms = 1000 * process_time() / (2 * len(requests))
    print(f"\nCPU of the controller, client and gRPC included, for each request {each_ms:.2f} ms")


def _print_profiles(found: Mapping[str, Profile]) -> None:
    for variant, profile in found.items():
        took = ", ".join(f"{size}: {1000 * s:.1f}" for size, s in profile.execution_s.items())
        size = profile.weights_bytes / 2**20
        print(f"{variant}: {size:.1f} MiB, load {1000 * profile.load_s:.0f} ms, batches {took} ms")


def _several(scene: Scene, processes: Sequence[WorkerProcess], pages: int, seconds: float) -> None:
    victim, kill_s, back_s = processes[-1], seconds / 2, 0.75 * seconds
    happenings: Happenings = (
        (kill_s, lambda: _aside(lambda: victim.end(signal.SIGKILL))),
        (back_s, lambda: _aside(victim.start)),
    )
    kept = scene.run(processes, pages, happenings)
    size = pages * PAGE_BYTES
    each = f"{len(processes)} workers with {mib([size])} MiB for weights each"
    print(f"\n{each}; {kept.unloads} unloads")
    phases = (
        Phase("until one is killed", 0, kill_s),
        Phase("without it", kill_s, back_s),
        Phase("it is started again", back_s, seconds),
        Phase("all", 0, seconds),
    )
    print(phase_table(kept, scene.requests, phases))
    print(reasons(kept, scene.requests))
    for at_s, reason in kept.losses:
        print(f"{at_s - kill_s:.3f} s after the kill: {reason}")


def _one(scene: Scene, processes: Sequence[WorkerProcess], seconds: float) -> None:
    kept = scene.run(processes, None)
    print("\none process with room for all")
    half = seconds / 2
    phases = (Phase("first half", 0, half), Phase("second half", half, seconds))
    print(phase_table(kept, scene.requests, (*phases, Phase("all", 0, seconds))))


def _aside(what: Callable[[], None]) -> None:
    """Not in the controller's thread."""
    Thread(target=what, daemon=True).start()


if __name__ == "__main__":
    main()
