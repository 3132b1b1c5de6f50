"""
Run many random rollouts and print how long they took.

    python -m tests.operator.rollout.deep --cases 20000

It continues after failures, counts them by message, and prints the simplest case of each: Python
that can be pasted into a test. `--only` selects kinds of cases; the last kind is slow. The same
seed draws the same cases.
"""

import argparse
import asyncio
import random
import re
import sys
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field

from hypothesis import HealthCheck, Phase, given, seed, settings
from hypothesis.strategies import SearchStrategy

from tests.operator.rollout.liveness import Record, Rollout
from tests.operator.rollout.liveness_cases import Case, cases, rolled, troubled

Way = Callable[[Rollout], Awaitable[None]]

KINDS: dict[str, tuple[SearchStrategy[Case], Way, float]] = {
    "plain": (cases(), Rollout.reaches, 0.4),
    "overloaded": (cases(overloaded=True), Rollout.reaches, 0.2),
    "changing": (cases(changing=True), Rollout.reaches, 0.2),
    "full": (cases(full=True, most_pods=5), Rollout.reaches, 0.1),
    "rolled": (rolled(), Rollout.reaches, 0.1),
    "troubled": (troubled(), Rollout.rests, 0.1),
}


@dataclass(slots=True)
class Failures:
    """Failures by message without its numbers: the count, and the simplest case."""

    found: dict[str, tuple[int, str, Case]] = field(default_factory=dict)

    def note(self, message: str, case: Case) -> None:
        kind = re.sub(r"[0-9.]+", "N", message)[:32]
        times, simplest_message, simplest = self.found.get(kind, (0, message, case))
        if len(repr(case)) < len(repr(simplest)):
            simplest_message, simplest = message, case
        self.found[kind] = (times + 1, simplest_message, simplest)

    def __str__(self) -> str:
        return "\n".join(
            f"{times} × {message}\n    {case!r}" for times, message, case in self.found.values()
        )


def explore(drawn: SearchStrategy[Case], way: Way, number: int, seeded: int) -> Failures:
    failures, record = Failures(), Record()
    began_s = time.perf_counter()

    @seed(seeded)
    @settings(
        max_examples=number,
        deadline=None,
        database=None,
        phases=(Phase.generate,),
        suppress_health_check=list(HealthCheck),
    )
    @given(drawn)
    def one(case: Case) -> None:
        rollout = Rollout(case, record)
        try:
            asyncio.run(_run(way, rollout))
        except AssertionError as failure:
            failures.note(str(failure), case)

    one()
    print(f"  {record}; {time.perf_counter() - began_s:.0f} s")
    if record.nearest_case is not None:
        print(f"  nearest to its bound: {record.nearest_case!r}")
    return failures


async def _run(way: Way, rollout: Rollout) -> None:
    await way(rollout)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--cases", type=int, default=20_000)
    parser.add_argument("--seed", type=int, default=random.SystemRandom().randrange(10**6))
    parser.add_argument("--only", choices=KINDS, nargs="+", default=list(KINDS))
    arguments = parser.parse_args()
    whole = sum(KINDS[name][2] for name in arguments.only)
    failed = False
    print(f"--cases {arguments.cases} --seed {arguments.seed}")
    for name in arguments.only:
        drawn, way, share = KINDS[name]
        print(f"{name}:", flush=True)
        found = explore(drawn, way, round(arguments.cases * share / whole), arguments.seed)
        print(f"  failures: {str(found) or 'none'}", flush=True)
        failed = failed or bool(found.found)
    return int(failed)


if __name__ == "__main__":
    sys.exit(main())
