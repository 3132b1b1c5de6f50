"""Our loop with a change, on a trace; what the file of results has is not run again."""

import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import asdict, replace
from functools import partial
from pathlib import Path
from unittest.mock import patch

from benchmarks.ablation.changes import CHANGES, Change
from benchmarks.policies.cache import Cache, Key, Record, write
from benchmarks.policies.cases import CASES
from benchmarks.policies.found import CaseFound, with_regret
from benchmarks.policies.runs import Runs, sources_of
from benchmarks.policies.sources import digest_of
from infadapter.progress import Progress
from infadapter_simulator.compare.jobs import Job, Jobs, do_all
from infadapter_simulator.compare.naming import OURS
from infadapter_simulator.measures import Measures, measured
from infadapter_simulator.policies.ours import Ours, service_of
from infadapter_simulator.scenario import Scenario
from infadapter_simulator.simulate import Workload, simulate
from infadapter_simulator.world.pods import SimulatedPod
from infadapter_simulator.world.world import World
from infadapter_solver import PodSize

CHURN = ("started", "resized", "removed")
PREFIX = "ablation: "
MADE_OF = ("changes.py", "runs.py")
"""What a result depends on, besides the loop."""

Found = tuple[Measures, Record]
"""Of a seed: its measures with the regret, and what was written of it."""


def found_of(
    case: str, changes: Sequence[str], traces: Path, cache: Cache, seeds: Sequence[int]
) -> Mapping[str, list[Found]]:
    """By change, for each seed; run now unless it is there."""
    part = CASES[case].read(traces)
    runs = Runs(CASES[case], part, cache)
    keys = {name: _key(runs, name) for name in changes}
    jobs = tuple(
        Job(scenario=0, seed=seed, work=partial(run_one, cache.path, name, key))
        for seed in seeds
        for name, key in keys.items()
        if (key, seed) not in cache.records
    )
    if jobs:
        do_all(Jobs(part=part, scenarios=(runs.scenario,), jobs=jobs), Progress())
        cache.read()
    yardsticks = CaseFound(CASES[case], cache).yardsticks()
    records = {name: [cache.records[key, seed] for seed in seeds] for name, key in keys.items()}
    return {
        name: list(zip(with_regret(own, yardsticks), own, strict=True))
        for name, own in records.items()
    }


def _key(runs: Runs, name: str) -> Key:
    own = (Path(__file__).with_name(file).read_text() for file in MADE_OF)
    made_of = digest_of(sources_of(OURS), *own)
    return replace(runs.key(OURS, 0), policy=f"{PREFIX}{name}", sources=made_of)


def run_one(
    path: Path, name: str, key: Key, scenario: Scenario, workload: Workload, seed: int
) -> None:
    began_s = time.process_time()
    world, resized = _simulated(CHANGES[name], scenario, workload, seed)
    values = {**asdict(measured(world)), **_churn(world, resized, workload.seconds / 3600)}
    cpu_s = time.process_time() - began_s
    write(path, Record(key=key, seed=seed, candidate=name, cpu_s=cpu_s, values=values))


def _simulated(
    change: Change, scenario: Scenario, workload: Workload, seed: int
) -> tuple[World, int]:
    """The world at the end, and how many resizes were asked for."""
    service = change.service(scenario, service_of(scenario))
    policy = Ours(service=service, cycle_s=change.cycle_s)
    with ExitStack() as patched:
        for target, replacement in change.patches.items():
            patched.enter_context(patch(target, replacement))
        resized = patched.enter_context(_counted_resizes())
        world = simulate(policy, scenario, workload, seed)
    return world, len(resized)


@contextmanager
def _counted_resizes() -> Iterator[list[str]]:
    """The pods whose size is asked to change."""
    asked: list[str] = []
    resize = World.resize

    def counted(world: World, pod: SimulatedPod, size: PodSize) -> None:
        if not pod.gone and pod.wanted != size:
            asked.append(pod.name)
        resize(world, pod, size)

    with patch.object(World, "resize", counted):
        yield asked


def _churn(world: World, resized: int, hours: float) -> Mapping[str, float]:
    """Of pods, by the hour; those that it began with were not started."""
    started = sum(held.at_s > 0 for held in {h.slot: h for h in reversed(world.held)}.values())
    removed = len(world.variant_of_slots()) - sum(not pod.leaving for pod in world.pods)
    counts = (started, resized, removed)
    return dict(zip(CHURN, (count / hours for count in counts), strict=True))
