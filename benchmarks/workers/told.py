"""The tables: what became of requests in each phase, and what memory it took."""

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np

from benchmarks.workers.controller import Fate, Kept
from benchmarks.workers.offered import Request

MIB = 1024 * 1024


@dataclass(frozen=True, slots=True)
class Phase:
    name: str
    from_s: float
    to_s: float


def phase_table(kept: Kept, requests: Sequence[Request], phases: Sequence[Phase]) -> str:
    head = f"{'':<22}{'arrived':>9}{'on time':>9}" + "".join(
        f"{fate.value:>10}" for fate in Fate if fate is not Fate.ON_TIME
    )
    lines = [f"{head}{'p50 ms':>9}{'p99 ms':>9}{'batch':>7}{'loads':>7}"]
    lines += [_phase_line(kept, requests, phase) for phase in phases]
    return "\n".join(lines)


def _phase_line(kept: Kept, requests: Sequence[Request], phase: Phase) -> str:
    numbers = [n for n, r in enumerate(requests) if phase.from_s <= r.at_s < phase.to_s]
    fates = Counter(kept.fates.get(number, Fate.FAILED) for number in numbers)
    share = 100 * fates[Fate.ON_TIME] / max(1, len(numbers))
    answered = [kept.latency_s[number] for number in numbers if number in kept.latency_s]
    p50, p99 = 1000 * np.percentile(answered or [0.0], [50, 99])
    loads = sum(phase.from_s <= at_s < phase.to_s for at_s, *_ in kept.loads)
    others = "".join(f"{fates[fate]:>10}" for fate in Fate if fate is not Fate.ON_TIME)
    batch = sum(kept.batches) / max(1, len(kept.batches))
    tail = f"{p50:>9.1f}{p99:>9.1f}{batch:>7.2f}{loads:>7}"
    return f"{phase.name:<22}{len(numbers):>9}{share:>8.2f}%{others}{tail}"


def reasons(kept: Kept, requests: Sequence[Request]) -> str:
    """Refusals by reason and model, the most frequent first."""
    counts = Counter((reason.value, requests[n].model) for n, reason in kept.reasons.items())
    return ", ".join(f"{n}× {why} {model}" for (why, model), n in counts.most_common(12))


def mib(sizes: Iterable[float]) -> str:
    return ", ".join(f"{size / MIB:.0f}" for size in sizes)
