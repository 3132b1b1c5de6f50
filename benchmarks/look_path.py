"""
How much of the house one look goes through, and how long it takes.

    python -m benchmarks.look_path                 bursts of twenty minutes, the simulated platform
    python -m benchmarks.look_path --json FILE

Counted are distinct functions, methods and lambdas of the project's packages that are called within
a look (in whatever thread), and the files that they are in; not what `dataclass` generates, nor
comprehensions. The look that goes through most is told. Times are of a run of its own, without
counting: medians over the looks that plan and over those that don't.
"""

import json
import statistics
import sys
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from types import CodeType, FrameType
from typing import Any

import click

from infadapter_simulator.policies.ours import Ours, service_of
from infadapter_simulator.simulate import Workload, flat_history, simulate
from infadapter_simulator.world.world import World
from infadapter_workload.arrivals import arrival_times
from infadapter_workload.synthetic import synthetic
from tests.golden.situations import scenario

OURS = Path(__file__).parents[1]
SECONDS, MEAN_RPS = 1_200, 70.0
NO_FUNCTIONS = {"<listcomp>", "<dictcomp>", "<setcomp>", "<genexpr>", "<module>"}


@dataclass(frozen=True, slots=True)
class Seen:
    """One look: what it called, and how long it took."""

    called: frozenset[CodeType]
    planned: bool
    took_s: float

    @property
    def files(self) -> set[str]:
        return {code.co_filename for code in self.called}


@dataclass(slots=True, kw_only=True)
class Watched:
    """Our policy, and what each of its looks went through."""

    ours: Ours
    counts: bool
    name: str = "watched"
    looks: list[Seen] = field(default_factory=list)

    def begin(self, world: World, mean_rps: float) -> None:
        self.ours.begin(world, mean_rps)

    def next_act_s(self, now_s: float) -> float:
        return self.ours.next_act_s(now_s)

    def queue_limits(self, world: World) -> Any:
        return self.ours.queue_limits(world)

    def act(self, world: World) -> None:
        codes: set[CodeType] = set()
        began_s = time.perf_counter()
        if self.counts:
            with calls_into(codes):
                self.ours.act(world)
        else:
            self.ours.act(world)
        took_s = time.perf_counter() - began_s
        assert self.ours.seen is not None
        self.looks.append(Seen(frozenset(codes), self.ours.seen.is_solved, took_s))


@contextmanager
def calls_into(codes: set[CodeType]) -> Iterator[None]:
    """Adds the code of every function of the project that is called within."""

    def note(frame: FrameType, event: str, _: object) -> None:
        if event == "call" and is_ours(frame.f_code):
            codes.add(frame.f_code)

    threading.setprofile(note)
    sys.setprofile(note)
    try:
        yield
    finally:
        sys.setprofile(None)
        threading.setprofile(None)


def is_ours(code: CodeType) -> bool:
    of_package = "/infadapter" in code.co_filename and code.co_filename.startswith(str(OURS))
    return of_package and code.co_name not in NO_FUNCTIONS


def looks(*, counts: bool) -> list[Seen]:
    world_of = scenario(20_000)
    trace = synthetic("bursty", 1, SECONDS, MEAN_RPS)
    workload = Workload(
        name=trace.name,
        arrivals_s=arrival_times(trace, 1),
        seconds=SECONDS,
        history_rps=flat_history(float(trace.rates[0])),
    )
    watched = Watched(ours=Ours(service=service_of(world_of)), counts=counts)
    simulate(watched, world_of, workload, 1)
    return watched.looks


def by_package(seen: Seen) -> Counter[str]:
    """Functions, by the folder that they are in."""
    parents = (Path(code.co_filename).relative_to(OURS).parent for code in seen.called)
    return Counter(str(Path(*parent.parts[1:])) for parent in parents)


def median_ms(found: list[Seen], which: Callable[[Seen], bool]) -> float:
    return 1000 * statistics.median(seen.took_s for seen in found if which(seen))


@click.command()
@click.option("--json", "file", type=click.Path(dir_okay=False, path_type=Path))
def main(file: Path | None) -> None:
    """Count and time the looks of one run, and print what the largest planning one goes through."""
    timed = looks(counts=False)
    largest = max((s for s in looks(counts=True) if s.planned), key=lambda s: len(s.called))
    told = {
        "functions": len(largest.called),
        "files": len(largest.files),
        "planning_look_ms": round(median_ms(timed, lambda s: s.planned), 3),
        "plain_look_ms": round(median_ms(timed, lambda s: not s.planned), 3),
        "looks": len(timed),
        "planning_looks": sum(seen.planned for seen in timed),
    }
    for name, value in told.items():
        click.echo(f"{name:<20}{value}")
    for folder, functions in sorted(by_package(largest).items()):
        click.echo(f"  {folder:<44}{functions:>4}")
    if file:
        file.write_text(json.dumps(told, indent=1))


if __name__ == "__main__":
    main()
