"""Policies by name, such as `infadapter`, `kpa-resnet50` or `fixed-resnet50-8`."""

import re
from collections.abc import Collection

from infadapter_profiles.grouped import NotGroupable
from infadapter_simulator.compare.candidates import (
    OF_A_VARIANT,
    RESEARCH,
    Candidate,
    always,
    in_one,
    of_a_variant,
    ours,
    research,
    schedules,
    statics,
)
from infadapter_simulator.one_pod import in_one_pod
from infadapter_simulator.policies.hindsight.fixed import Fixed
from infadapter_simulator.scenario import Scenario
from infadapter_solver import CPU, Allocation

OURS, HINDSIGHT, STATIC_BEST = "infadapter", "hindsight", "static-best"
ONE_POD = "infadapter-grouped"
"""
Our policy with the networks of all variants in each pod. Its pods differ from those of all others.
"""

ALONE = {OURS: ours, ONE_POD: in_one, STATIC_BEST: statics, HINDSIGHT: schedules}

SHORT = {"hpa": "hpa-cpu"}
USUAL = ("infadapter-paper", "ms-plus")
USUAL_OF_A_VARIANT = ("vpa", "hpa", "kpa", "keda")


class UnknownPolicy(ValueError):
    """An unknown policy; the message lists the known ones."""


def named(text: str | None, scenario: Scenario, peak_rps: float) -> tuple[str, ...]:
    """
    Return the policies of a comma-separated list, of `all`, or a selection for None. Raises
    UnknownPolicy.
    """
    sizes = _on_cpu(scenario)
    if text is None:
        suited = best_suited(scenario, peak_rps)
        scaled = [f"{kind}-{name}" for name in suited for kind in USUAL_OF_A_VARIANT]
        return (OURS, *(USUAL if sizes else ()), STATIC_BEST, HINDSIGHT, *scaled)
    if text == "all":
        scaled = [f"{kind}-{name}" for name in sizes for kind in OF_A_VARIANT]
        return (OURS, *(RESEARCH if sizes else ()), STATIC_BEST, HINDSIGHT, *scaled)
    names = [name.strip() for name in text.split(",") if name.strip()]
    if not names:
        raise _unknown(text, scenario)
    rules: dict[tuple[str, str, int | None], str] = {}
    for name in names:
        candidates(name, scenario)
        kind, variant, cores = _parts(name, list(sizes))
        rules.setdefault((kind or name, variant, cores), name)  # `hpa-V` is `hpa-cpu-V`
    return tuple(rules.values())


def best_suited(scenario: Scenario, peak_rps: float) -> tuple[str, ...]:
    """
    Return the most accurate variant on CPU of which one pod serves this rate, else the fastest;
    none if no variant runs on CPU.
    """
    sizes = _on_cpu(scenario)
    most = {name: max(a.capacity_rps for a in sizes[name].values()) for name in sizes}
    able = [name for name in most if most[name] >= peak_rps]
    if able:
        return (max(able, key=lambda name: scenario.variant(name).accuracy),)
    return tuple(sorted(most, key=lambda name: most[name])[-1:])


def candidates(name: str, scenario: Scenario) -> list[Candidate]:
    """Return the candidates of this name. Raises UnknownPolicy."""
    if name == ONE_POD:
        _check_one_pod(scenario)
    if name in ALONE:
        return ALONE[name]()
    sizes = _on_cpu(scenario)
    if name in RESEARCH and sizes:
        return research(name)
    kind, variant, cores = _parts(name, list(sizes))
    if kind == "fixed" and cores is not None:
        return [always(_fixed(variant, cores, sizes[variant]))]
    if kind in OF_A_VARIANT and cores is None:
        return of_a_variant(kind, variant)
    raise _unknown(name, scenario)


def _check_one_pod(scenario: Scenario) -> None:
    try:
        in_one_pod(scenario)
    except NotGroupable as error:
        raise UnknownPolicy(f"There is no {ONE_POD} here: {error}") from error


def _on_cpu(scenario: Scenario) -> dict[str, dict[int, Allocation]]:
    """
    Return the CPU allocations by variant and millicores, for autoscalers that know only cores.
    """
    sizes = {
        variant.name: {a.cpu_millicores: a for a in variant.allocations if a.kind == CPU}
        for variant in scenario.variants
    }
    return {name: found for name, found in sizes.items() if found}


def _parts(name: str, variants: list[str]) -> tuple[str, str, int | None]:
    """
    Split a name into kind, variant and cores, if given; names of variants may contain hyphens.
    """
    for variant in sorted(variants, key=len, reverse=True):
        match = re.fullmatch(rf"([a-z-]+)-{re.escape(variant)}(?:-([0-9]{{1,9}}))?", name)
        if match:
            return SHORT.get(match[1], match[1]), variant, int(match[2]) if match[2] else None
    return "", "", None


def _fixed(variant: str, cores: int, sizes: Collection[int]) -> Fixed:
    fixed = Fixed(variant, cores)
    if 1000 * cores not in sizes:
        measured = ", ".join(f"{size / 1000:g}" for size in sorted(sizes))
        raise UnknownPolicy(f"There is no {fixed.name}: {variant} has pods of {measured} cores.")
    return fixed


def _unknown(name: str, scenario: Scenario) -> UnknownPolicy:
    alone = ", ".join((OURS, ONE_POD, *RESEARCH, STATIC_BEST, HINDSIGHT))
    kinds = ", ".join(f"{kind}-" for kind in (*SHORT, *OF_A_VARIANT))
    variants = ", ".join(_on_cpu(scenario))
    return UnknownPolicy(
        f"There is no policy {name!r}: choose {alone}, or {kinds} with a variant "
        f"({variants}), or fixed-VARIANT-CORES, or all."
    )
