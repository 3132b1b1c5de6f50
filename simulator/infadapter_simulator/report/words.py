"""Results in sentences."""

from collections.abc import Sequence
from statistics import fmean

from infadapter_simulator.compare.naming import OURS
from infadapter_simulator.compare.results import Bounds, Comparison, Result
from infadapter_simulator.part import Part
from infadapter_simulator.report.columns import ranked
from infadapter_simulator.report.means import mean, upper_of


def load_sentence(part: Part, seeds: Sequence[int], bounds: Sequence[Bounds]) -> str:
    requests = fmean(each.requests for each in bounds)
    said = f"{part.trace.name}: {requests:,.0f} requests in {part.seconds:,} s"
    if part.from_s:
        said += f" from second {part.from_s:,} on"
    if len(seeds) > 1:
        said += f"; {len(seeds)} seeds from {seeds[0]} on, means and 95 % intervals"
    return f"{said}."


def bound_sentence(comparison: Comparison) -> str:
    """Return the bracket's sentence, as far as a bracket was requested."""
    unavoidable = 100 * fmean(bounds.missed.unavoidable for bounds in comparison.bounds)
    sudden = 100 * fmean(bounds.missed.sudden for bounds in comparison.bounds)
    upper, hindsight = upper_of(comparison), comparison.hindsight
    said = []
    if hindsight:
        said.append(
            f"The best schedule made in hindsight reached {mean(hindsight, 'objective') or 0:.4f} "
            f"with {percent(hindsight, 'violations')} violations"
        )
    if upper is not None:
        said.append(f"no policy has an objective above {upper:.4f}")
    said.append(
        f"{unavoidable:.2f} % violations nobody avoids within the budget, "
        f"{sudden:.2f} % nobody without a reserve"
    )
    text = "; ".join(said)
    return f"{text[0].upper()}{text[1:]}."


def headline(comparison: Comparison) -> str:
    """Return the sentence on our policy, if it is included, and on the best of the others."""
    results = ranked(comparison.results)
    ours = [result for result in results if result.name == OURS]
    others = [result for result in results if result.name != OURS]
    return "; ".join(_said(result) for result in [*ours, *others[: 2 - len(ours)]]) + "."


def percent(result: Result, measure: str) -> str:
    return f"{100 * (mean(result, measure) or 0.0):.2f} %"


def _said(result: Result) -> str:
    return (
        f"{result.name} reaches {percent(result, 'effective_accuracy')} effective accuracy "
        f"on {mean(result, 'mean_cores') or 0:.1f} cores "
        f"with {percent(result, 'violations')} violations"
    )


def explained(result: Result) -> str:
    """Return the kind of the policy, and what was chosen for it in hindsight."""
    said = next((text for prefix, text in _KINDS if result.name.startswith(prefix)), "")
    if not result.chosen:
        return said
    return f"{said}; of all that were tried, the best is {', '.join(dict.fromkeys(result.chosen))}"


_KINDS = (
    ("infadapter-paper", "InfAdapter as it was published"),
    (
        "infadapter-grouped",
        "the operator's own loop with all networks in each pod, which the bracket is not about",
    ),
    ("infadapter", "the operator's own loop"),
    ("ms-plus", "Model-Switching with sizes chosen by InfAdapter's rules: one variant at a time"),
    (
        "proteus",
        "Proteus: the most accurate variants that serve the load on the whole budget, always",
    ),
    ("ipa", "IPA: one variant at a time, and as many of its smallest pods as the load takes"),
    ("static-best", "the best set of pods for the whole trace, never changed"),
    ("hindsight", "the best schedule found by who knew every arrival, carried out to the second"),
    ("vpa-cold", "the Vertical Pod Autoscaler on one variant, with no history to begin with"),
    ("vpa-plus", "InfAdapter's variant of the VPA: new pods before old ones end, slower to shrink"),
    ("vpa", "the Vertical Pod Autoscaler on one variant"),
    ("hpa-rps", "the Horizontal Pod Autoscaler of one variant on requests per second"),
    ("hpa", "the Horizontal Pod Autoscaler of one variant on CPU utilisation"),
    ("kpa", "Knative's autoscaler of one variant on concurrency"),
    ("keda", "KEDA on one variant with the Prometheus trigger"),
    ("fixed", "one pod of this size, never changed"),
)
"""Descriptions by the beginning of a policy's name; the first that matches."""
