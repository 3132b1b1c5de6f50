"""All policies and all fixed SubNets on one workload, and SuperServe's claims about them."""

from collections.abc import Callable, Iterator, Mapping
from typing import NamedTuple

from infadapter_scheduler import Arrival
from infadapter_scheduler.points.rivals import Fixed
from infadapter_simulator.reproduction.result import percent
from infadapter_simulator.reproduction.superserve.ladder import (
    CAPACITY_RPS,
    GPUS,
    alone,
    supernet,
)
from infadapter_simulator.reproduction.superserve.serving import (
    CHOOSING,
    Delivered,
    admitted,
    delivered,
    queued,
)

Load = Callable[[], Iterator[Arrival]]
"""Returns the same arrivals at each call."""

AS_GOOD = 0.001
"""Difference in attainment up to which a fixed SubNet counts as equal to ours."""

HEAD = (
    "workload",
    "policy",
    "on time %",
    "accuracy %",
    "on time %, nobody refused",
    "accuracy %, nobody refused",
)


class Both(NamedTuple):
    """One policy, once behind admission and once in a single queue without refusals."""

    admitted: Delivered
    queued: Delivered


def fixed(accuracy: float) -> str:
    return f"fixed {accuracy:.2f}"


def compared(load: Load) -> Mapping[str, Both]:
    model = supernet()
    found = {
        name: Both(
            delivered(admitted(model, make()), model, load(), GPUS),
            delivered(queued(model, make()), model, load(), GPUS),
        )
        for name, make in CHOOSING.items()
    }
    for accuracy in CAPACITY_RPS:
        one = alone(accuracy)
        found[fixed(accuracy)] = Both(
            delivered(admitted(one, Fixed(0)), one, load(), GPUS),
            delivered(queued(one, Fixed(0)), one, load(), GPUS),
        )
    return found


def rows(workload: str, found: Mapping[str, Both]) -> list[list[str]]:
    return [
        [workload, name, *_cells(both.admitted), *_cells(both.queued)]
        for name, both in found.items()
    ]


def holding(found: Mapping[str, Both], attainment: float) -> float:
    """
    Return the accuracy of the most accurate fixed SubNet with this attainment, in the better of
    both ways.
    """
    held = [
        accuracy
        for accuracy in CAPACITY_RPS
        if max(d.attainment for d in found[fixed(accuracy)]) >= attainment - AS_GOOD
    ]
    return max(held, default=min(CAPACITY_RPS))


def span_closed(found: Mapping[str, Both]) -> float:
    """
    Return the share closed of the accuracy between the fixed SubNet of equal attainment and the
    best.
    """
    ours = found["ours"].admitted
    held = holding(found, ours.attainment)
    best = max(CAPACITY_RPS)
    return (ours.accuracy - held) / (best - held) if held < best else 1.0


def times_as_often(found: Mapping[str, Both]) -> tuple[float, float]:
    """
    Return the ratio of attainments to the fixed SubNet of the next higher accuracy, with admission
    and without.
    """
    ours = found["ours"].admitted
    beside = min((a for a in CAPACITY_RPS if a >= ours.accuracy), default=max(CAPACITY_RPS))
    behind, without = found[fixed(beside)]
    return ours.attainment / behind.attainment, ours.attainment / without.attainment


def claims(workload: str, found: Mapping[str, Both]) -> str:
    held = holding(found, found["ours"].admitted.attainment)
    behind, without = times_as_often(found)
    return (
        f"{workload}: ours closes {100 * span_closed(found):.0f} % of the span between the fixed "
        f"SubNet that holds its attainment ({held:.2f}) and the best; on time "
        f"{behind:.2f} times as often as the next more accurate fixed one behind the same "
        f"admission, {without:.2f} times as often as that without."
    )


def _cells(found: Delivered) -> tuple[str, str]:
    return percent(found.attainment, 3), f"{found.accuracy:.2f}"
