"""
Policies to compare, as functions from a scenario, a workload and a seed to a world.

Policies tuned in hindsight have several candidates, of which the best is reported.
"""

from collections.abc import Callable, Mapping, Sequence
from functools import partial

from infadapter_simulator.one_pod import in_one_pod
from infadapter_simulator.policies.hindsight.best_schedule import best_schedule
from infadapter_simulator.policies.hindsight.static_best import static_best
from infadapter_simulator.policies.kubernetes.hpa import hpa_cpu_choices, hpa_rps_choices
from infadapter_simulator.policies.kubernetes.keda import keda_choices
from infadapter_simulator.policies.kubernetes.kpa import kpa_choices
from infadapter_simulator.policies.kubernetes.vpa import Vpa
from infadapter_simulator.policies.ours import Ours, service_of
from infadapter_simulator.policies.papers.infadapter import infadapter_paper
from infadapter_simulator.policies.papers.ipa import ipa
from infadapter_simulator.policies.papers.ms_plus import ms_plus
from infadapter_simulator.policies.papers.proteus import proteus
from infadapter_simulator.policies.papers.vpa_plus import VpaPlus
from infadapter_simulator.policies.policy import Policy
from infadapter_simulator.scenario import Scenario
from infadapter_simulator.simulate import Workload, simulate
from infadapter_simulator.world.world import World

Candidate = Callable[[Scenario, Workload, int], tuple[str, World]]
"""A run that also returns the candidate's own name."""

RESEARCH: Mapping[str, Callable[[Scenario], Policy]] = {
    "infadapter-paper": infadapter_paper,
    "ms-plus": ms_plus,
    "proteus": proteus,
    "ipa": ipa,
}
"""Policies from papers, which choose among variants on CPU."""

OF_A_VARIANT: Mapping[str, Callable[[str], Sequence[Policy]]] = {
    "vpa": lambda variant: [Vpa(variant=variant)],
    "vpa-cold": lambda variant: [Vpa(variant=variant, history_days=0.0)],
    "vpa-plus": lambda variant: [VpaPlus(variant=variant)],
    "hpa-cpu": hpa_cpu_choices,
    "hpa-rps": hpa_rps_choices,
    "kpa": kpa_choices,
    "keda": keda_choices,
}
"""Policies that scale one given variant."""


def ours() -> list[Candidate]:
    return [_ours]


def in_one() -> list[Candidate]:
    return [_in_one_pod]


def schedules() -> list[Candidate]:
    """Return the single candidate that searches for a schedule itself."""
    return [_best_schedule]


def statics() -> list[Candidate]:
    """Return the single candidate that chooses a static plan itself."""
    return [_static_best]


def research(name: str) -> list[Candidate]:
    return [partial(_research, RESEARCH[name])]


def of_a_variant(kind: str, variant: str) -> list[Candidate]:
    return [always(policy) for policy in OF_A_VARIANT[kind](variant)]


def always(policy: Policy) -> Candidate:
    """Return a candidate whose policy does not depend on the scenario and that runs once."""
    return partial(_run, policy)


def _ours(scenario: Scenario, workload: Workload, seed: int) -> tuple[str, World]:
    return _run(Ours(service=service_of(scenario)), scenario, workload, seed)


def _in_one_pod(scenario: Scenario, workload: Workload, seed: int) -> tuple[str, World]:
    return _ours(in_one_pod(scenario), workload, seed)


def _best_schedule(scenario: Scenario, workload: Workload, seed: int) -> tuple[str, World]:
    return "hindsight", best_schedule(scenario, workload, seed).world


def _static_best(scenario: Scenario, workload: Workload, seed: int) -> tuple[str, World]:
    chosen = static_best(scenario, workload, seed)
    return chosen.policy.name, chosen.world


def _research(
    make: Callable[[Scenario], Policy], scenario: Scenario, workload: Workload, seed: int
) -> tuple[str, World]:
    return _run(make(scenario), scenario, workload, seed)


def _run(policy: Policy, scenario: Scenario, workload: Workload, seed: int) -> tuple[str, World]:
    return policy.name, simulate(policy, scenario, workload, seed)
