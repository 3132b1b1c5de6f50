"""
What will be needed within the next seconds, and how sure of it to be.

What runs grows in a second and what does not is bridged (rollout.stopgap), so no more needs to be
foreseen than the time in which a decision takes effect. Over so short a time the best forecast is
the rate of now, and its errors of the last half an hour say what to keep in reserve: nothing to
speak of for a steady load, much for one that jumps every few minutes.
"""

import functools
import math
import statistics
from typing import NamedTuple

import numpy as np

from infadapter_operator.domain.service import Service
from infadapter_operator.planning.arrival_curve import Floats, highest_ahead, needs

REACTION_S = 4
"""From an arrival to the capacity for it: a scrape, a look, a resize, new weights."""

MEMORY_S = 1_800
"""How far back errors are looked for: long enough for hundreds, short enough to be of today."""

LEAST_MEMORY_S = 1_200
"""A shorter history is judged as if it were so long: its only jump is no habit yet."""

SETTLED_S = 10.0
"""The rate of now, in what is learnt from, is an exponential mean over this long."""

BLOCK = 128

UNSURE = 0.7
"""
How rare a case may be that is still kept in reserve for, times the root of the requests within the
memory: the fewer there were, the less is known of what is rare.
"""


class Need(NamedTuple):
    """
    The capacity that will do for the next REACTION_S: at the quantile, and a little below it. Where
    errors are of two kinds, noise and jumps, a quantile between them tips from one look to the
    next, and both sides cost the same: a plan that does for the lower one may stay (hysteresis).
    """

    rps: float
    least_rps: float


TIPPING = 1.4
"""How much more often a plan may be exceeded before it is left for one with more reserve."""


def needed_soon(rates: Floats, slo_s: float, now_rps: float, sureness: float) -> Need:
    """
    Never less than the rate of now. `rates` are requests per second, second by second, the last
    one the latest.

    Errors are differences, not ratios: after a jump from 10 to 100 rps, a ratio would expect 1000.
    """
    recent = rates[-MEMORY_S:]
    came = highest_ahead(needs(recent, slo_s), REACTION_S)
    allowed = (1 - sureness) * max(len(came), LEAST_MEMORY_S)
    if len(came) <= math.ceil(allowed):
        rps = now_rps + float(np.sqrt(now_rps))
        return Need(rps, rps)
    usual = exponential_mean(recent, SETTLED_S)
    errors = np.sort(came - usual[: len(came)])
    most_rps = _most_to_expect_rps(recent, slo_s, now_rps)

    def at(exceeded: float) -> float:
        reserve_rps = errors[max(0, len(errors) - 1 - math.ceil(exceeded))]
        wanted_rps = float(max(usual[-1], now_rps) + reserve_rps)
        return max(now_rps, min(wanted_rps, most_rps))

    return Need(at(allowed), at(TIPPING * allowed))


def _most_to_expect_rps(recent: Floats, slo_s: float, now_rps: float) -> float:
    """
    What was needed at most, and a deviation of room: a step that has been seen is not expected once
    more on top of itself.
    """
    return max(float(needs(recent, slo_s).max()), now_rps) + float(np.sqrt(now_rps))


def highest_need_rps(rates: Floats, slo_s: float, window_s: float) -> float:
    """The highest need of the last `window_s`."""
    return float(needs(rates[-int(window_s) - 10 :], slo_s)[-int(window_s) :].max())


def exponential_mean(values: Floats, over_s: float) -> Floats:
    """
    By second, the mean of all until then, in which a value of `over_s` ago weighs 1/e.

    As blocks of one geometric sum each: a loop over half an hour would take longer than the solver.
    """
    kernel, fading = _block_sums(over_s)
    found = np.empty(len(values))
    before = float(values[: int(over_s)].mean())
    for first in range(0, len(values), BLOCK):
        part = values[first : first + BLOCK]
        size = len(part)
        found[first : first + size] = kernel[:size, :size] @ part + fading[:size] * before
        before = float(found[first + size - 1])
    return found


@functools.cache
def _block_sums(over_s: float) -> tuple[Floats, Floats]:
    """What each value of a block adds to the means after it, and how what was before fades."""
    keep = np.exp(-1.0 / over_s)
    apart = np.subtract.outer(np.arange(BLOCK), np.arange(BLOCK))
    return (1 - keep) * np.tril(keep ** np.abs(apart)), keep ** np.arange(1, BLOCK + 1)


def worthwhile_sureness(service: Service, rps: float) -> float:
    """
    The quantile beyond which more reserve costs more than what it saves (the newsvendor's): a
    request that is refused costs its accuracy, one that could have been served costs its share of
    a core. Where the load is low a core is cheap beside what it may lose, and the other way round.
    At least what the spec asks for.
    """
    lost = service.objective.accuracy_weight * max(variant.accuracy for variant in service.variants)
    if lost <= 0:
        return service.quantile
    rps = max(rps, 1.0)
    sureness = 1.0 - _price_of_a_request(service) * rps / lost
    surest = 1.0 - UNSURE / math.sqrt(rps * MEMORY_S)
    return float(np.clip(sureness, service.quantile, max(surest, service.quantile)))


def _price_of_a_request(service: Service) -> float:
    """What capacity for one more request per second costs, on the variant in the middle."""
    whole = service.objective.price_of(service.budget) or 1.0
    cheapest = [
        min(service.objective.price_of(a.resources) / a.capacity_rps for a in able)
        for variant in service.variants
        if (able := [a for a in variant.allocations if a.capacity_rps > 0])
    ]
    return service.objective.cost_weight * statistics.median(cheapest or [0.0]) / whole
