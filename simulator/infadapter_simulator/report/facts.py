"""A comparison as JSON. It holds no time of day and no machine: equal seeds give equal bytes."""

import json
from statistics import fmean
from typing import Any

from infadapter_simulator.compare.results import Comparison, Result
from infadapter_simulator.policies.hindsight.foresight import MOST_VIOLATIONS
from infadapter_simulator.report.means import MEASURES, half_width, mean
from infadapter_simulator.scenario import Scenario
from infadapter_solver import CPU, Resources

DIGITS = 9
"""Enough to compare by, few enough to hide that 0.1 is not a tenth."""


def as_json(comparison: Comparison) -> str:
    return json.dumps(facts(comparison), indent=2, ensure_ascii=False)


def facts(comparison: Comparison) -> dict[str, Any]:
    part, clairvoyant = comparison.part, comparison.clairvoyant
    return {
        "trace": part.trace.name,
        "from_s": part.from_s,
        "seconds": part.seconds,
        "requests": _requests(comparison),
        "notes": [*part.trace.notes, *beaten(comparison)],
        "seeds": list(comparison.seeds),
        "scenario": _scenario(comparison.scenario),
        "fluid_bound": rounded(fmean(bounds.fluid_bound for bounds in comparison.bounds)),
        "clairvoyant": policy_facts(clairvoyant) if clairvoyant else None,
        "policies": {result.name: policy_facts(result) for result in comparison.results},
    }


def beaten(comparison: Comparison) -> list[str]:
    """Who is better than the best that there should be: then that is badly defined."""
    return [
        f"{result.name} beats the clairvoyant within {100 * MOST_VIOLATIONS:.1f} % violations: "
        "an error of what is called clairvoyant."
        for result in comparison.results
        if any(
            measures.violations <= MOST_VIOLATIONS and measures.regret and measures.regret < 0
            for measures in result.measures
        )
    ]


def rounded(value: float | None) -> float | None:
    return None if value is None else round(value, DIGITS) + 0.0  # -0.0 is 0


def _requests(comparison: Comparison) -> float:
    """Their mean, if the seeds differ in it."""
    requests = fmean(bounds.requests for bounds in comparison.bounds)
    return int(requests) if requests.is_integer() else requests


def _scenario(scenario: Scenario) -> dict[str, Any]:
    budget, surge = scenario.budget, scenario.max_surge
    return {
        "slo_ms": 1000 * scenario.slo_s,
        "percentile": scenario.percentile,
        "budget": _units(budget),
        "max_surge": _units(budget if surge is None else surge),
        "accuracy_weight": scenario.objective.accuracy_weight,
        "cost_weight": scenario.objective.cost_weight,
        "loading_weight": scenario.objective.loading_weight,
        "server": str(scenario.server),
        "variants": [variant.name for variant in scenario.variants],
    }


def _units(amounts: Resources) -> dict[str, float]:
    """CPU in cores."""
    return {name: n / 1000 if name == CPU else n for name, n in amounts.items()}


def policy_facts(result: Result) -> dict[str, Any]:
    """The measures of a policy; `chosen` where the best of several was chosen in hindsight."""
    own: dict[str, Any] = {name: rounded(mean(result, name)) for name in MEASURES}
    p99_s = own.pop("p99_s")
    own["p99_ms"] = None if p99_s is None else rounded(1000 * p99_s)
    if result.chosen:
        own["chosen"] = result.chosen[0] if len(result.chosen) == 1 else list(result.chosen)
    if len(result.measures) > 1:
        own["half_width_95"] = {n: rounded(half_width(result, n)) for n in MEASURES}
    return own
