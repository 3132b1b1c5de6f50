"""
A comparison as JSON. It contains no time of day and no machine, so equal seeds give equal bytes.
"""

import json
from statistics import fmean
from typing import Any

from infadapter_simulator.compare.results import Comparison, Result
from infadapter_simulator.report.means import MEASURES, half_width, mean, upper_of
from infadapter_simulator.scenario import Scenario
from infadapter_solver import CPU, Resources

DIGITS = 9
"""
Significant digits: enough for comparisons, and few enough to hide the rounding of binary fractions.
"""


CLEARLY = 0.001
"""Relative difference of objectives below which it is noise of the search."""


def as_json(comparison: Comparison) -> str:
    return json.dumps(facts(comparison), indent=2, ensure_ascii=False)


def facts(comparison: Comparison) -> dict[str, Any]:
    part, hindsight = comparison.part, comparison.hindsight
    return {
        "trace": part.trace.name,
        "from_s": part.from_s,
        "seconds": part.seconds,
        "requests": _requests(comparison),
        "notes": [*part.trace.notes, *beaten(comparison)],
        "seeds": list(comparison.seeds),
        "scenario": _scenario(comparison.scenario),
        "bracket": _bracket(comparison),
        "hindsight": policy_facts(hindsight) if hindsight else None,
        "policies": {result.name: policy_facts(result) for result in comparison.results},
    }


def beaten(comparison: Comparison) -> list[str]:
    """
    Return the policies above the bracket's lower side. If there are any, its search was not good
    enough.
    """
    return [
        f"{result.name} beats the best schedule in hindsight by more than "
        f"{100 * CLEARLY:.1f} %: its search was not good enough."
        for result in comparison.results
        if any(measures.regret and measures.regret < -CLEARLY for measures in result.measures)
    ]


def _bracket(comparison: Comparison) -> dict[str, float | None]:
    """
    Return the bracket of the objective, and the violations that no policy avoids, or none without a
    reserve.
    """
    lower = mean(comparison.hindsight, "objective") if comparison.hindsight else None
    upper = upper_of(comparison)
    return {
        "lower": rounded(lower),
        "upper": rounded(upper),
        "width": rounded(1 - lower / upper if lower is not None and upper else None),
        "unavoidable": rounded(fmean(b.missed.unavoidable for b in comparison.bounds)),
        "sudden": rounded(fmean(b.missed.sudden for b in comparison.bounds)),
    }


def rounded(value: float | None) -> float | None:
    return None if value is None else round(value, DIGITS) + 0.0  # -0.0 is 0


def _requests(comparison: Comparison) -> float:
    """Return the number of requests, the mean over the seeds if they differ."""
    requests = fmean(bounds.requests for bounds in comparison.bounds)
    return int(requests) if requests.is_integer() else requests


def _scenario(scenario: Scenario) -> dict[str, Any]:
    return {
        "slo_ms": 1000 * scenario.slo_s,
        "percentile": scenario.percentile,
        "budget": _units(scenario.budget),
        "max_surge": _units(scenario.surge),
        "accuracy_floor": scenario.accuracy_floor,
        "accuracy_weight": scenario.objective.accuracy_weight,
        "cost_weight": scenario.objective.cost_weight,
        "loading_weight": scenario.objective.loading_weight,
        "server": str(scenario.server),
        "variants": [variant.name for variant in scenario.variants],
    }


def _units(amounts: Resources) -> dict[str, float]:
    """Convert resources to the report's units: CPU in cores."""
    return {name: n / 1000 if name == CPU else n for name, n in amounts.items()}


def policy_facts(result: Result) -> dict[str, Any]:
    """Return the measures of a policy, with `chosen` if it is the best of several in hindsight."""
    own: dict[str, Any] = {name: rounded(mean(result, name)) for name in MEASURES}
    p99_s = own.pop("p99_s")
    own["p99_ms"] = None if p99_s is None else rounded(1000 * p99_s)
    if result.chosen:
        own["chosen"] = result.chosen[0] if len(result.chosen) == 1 else list(result.chosen)
    if len(result.measures) > 1:
        own["half_width_95"] = {n: rounded(half_width(result, n)) for n in MEASURES}
    return own
