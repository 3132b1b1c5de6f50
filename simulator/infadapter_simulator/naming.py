"""
Policies by name, such as `infadapter`, `kpa-resnet50` or `fixed-resnet50-8`.

Some are tuned in hindsight: such a name stands for candidates, and the best of them is reported.
"""

import asyncio
import re
from collections.abc import Callable, Mapping
from functools import cache, partial

from infadapter_simulator.policies.clairvoyant import Clairvoyant, ways
from infadapter_simulator.policies.fixed import Fixed
from infadapter_simulator.policies.hpa import hpa_cpu_choices, hpa_rps_choices
from infadapter_simulator.policies.keda import keda_choices
from infadapter_simulator.policies.kpa import kpa_choices
from infadapter_simulator.policies.ours import Ours, service_of
from infadapter_simulator.policies.policy import Policy
from infadapter_simulator.policies.vpa import Vpa
from infadapter_simulator.policies.vpa_plus import VpaPlus
from infadapter_simulator.scenario import Scenario
from infadapter_simulator.simulate import Workload
from infadapter_solver import CPU, Allocation

OURS, CLAIRVOYANT = "infadapter", "clairvoyant"

ALONE = (OURS, CLAIRVOYANT)
"""Those that choose variants."""

OF_A_VARIANT: Mapping[str, Callable[[str], tuple[Policy, ...]]] = {
    "vpa": lambda variant: (Vpa(variant=variant),),
    "vpa-plus": lambda variant: (VpaPlus(variant=variant),),
    "hpa-cpu": hpa_cpu_choices,
    "hpa-rps": hpa_rps_choices,
    "kpa": kpa_choices,
    "keda": keda_choices,
}
"""Those that scale a variant that somebody has chosen."""

SHORT = {"hpa": "hpa-cpu"}
USUAL = ("vpa", "hpa", "kpa", "keda")

Maker = Callable[[Scenario, Workload], Policy]


class UnknownPolicy(ValueError):
    """There is no such policy; the message is a sentence that says which there are."""


def named(text: str | None, scenario: Scenario, peak_rps: float) -> tuple[str, ...]:
    """Names with commas, `all`, or None for a handful. Raises UnknownPolicy."""
    if text is None:
        suited = best_suited(scenario, peak_rps)
        return (*ALONE, *(f"{kind}-{name}" for name in suited for kind in USUAL))
    if text == "all":
        variants = _on_cpu(scenario)
        return (*ALONE, *(f"{kind}-{name}" for name in variants for kind in OF_A_VARIANT))
    names = tuple(dict.fromkeys(name.strip() for name in text.split(",") if name.strip()))
    if not names:
        raise _unknown(text, scenario)
    for name in names:
        candidates(name, scenario)
    return names


def best_suited(scenario: Scenario, peak_rps: float) -> tuple[str, ...]:
    """
    Of the variants on CPU the most accurate one of which one pod serves this, else the fastest;
    none where none is on CPU.
    """
    sizes = _on_cpu(scenario)
    most = {name: max(a.capacity_rps for a in sizes[name].values()) for name in sizes}
    able = [name for name in most if most[name] >= peak_rps]
    if able:
        return (max(able, key=lambda name: scenario.variant(name).accuracy),)
    return tuple(sorted(most, key=lambda name: most[name])[-1:])


def candidates(name: str, scenario: Scenario) -> Mapping[str, Maker]:
    """By label, what is tried under this name. Raises UnknownPolicy."""
    if name == OURS:
        return {name: _ours}
    if name == CLAIRVOYANT:
        return {str(way): partial(Clairvoyant, way) for way in ways()}
    sizes = _on_cpu(scenario)
    kind, variant, cores = _parts(name, list(sizes))
    if kind == "fixed" and cores:
        if 1000 * cores not in sizes[variant]:
            raise UnknownPolicy(
                f"There is no {name!r}: {variant} was measured on "
                f"{', '.join(f'{size / 1000:g}' for size in sorted(sizes[variant]))} cores."
            )
        return {name: partial(_the, Fixed(variant, cores))}
    if kind in OF_A_VARIANT and not cores:
        choices = OF_A_VARIANT[kind](variant)
        return {c.name if len(choices) > 1 else name: partial(_the, c) for c in choices}
    raise _unknown(name, scenario)


def _on_cpu(scenario: Scenario) -> dict[str, dict[int, Allocation]]:
    """What an autoscaler that knows only cores can have: by variant and millicores."""
    sizes = {
        variant.name: {a.cpu_millicores: a for a in variant.allocations if a.kind == CPU}
        for variant in scenario.variants
    }
    return {name: found for name, found in sizes.items() if found}


def _parts(name: str, variants: list[str]) -> tuple[str, str, int]:
    """Kind, variant, and cores or 0; names of variants may have hyphens as well."""
    for variant in sorted(variants, key=len, reverse=True):
        match = re.fullmatch(rf"([a-z-]+)-{re.escape(variant)}(?:-([1-9][0-9]{{0,3}}))?", name)
        if match:
            return SHORT.get(match[1], match[1]), variant, int(match[2] or 0)
    return "", "", 0


def _ours(scenario: Scenario, workload: Workload) -> Policy:
    return Ours(service=service_of(scenario), loop=_loop())


@cache
def _loop() -> asyncio.AbstractEventLoop:
    """One for all runs of a process: each would keep its files and threads open."""
    return asyncio.new_event_loop()


def _the(policy: Policy, scenario: Scenario, workload: Workload) -> Policy:
    return policy


def _unknown(name: str, scenario: Scenario) -> UnknownPolicy:
    kinds = ", ".join(f"{kind}-" for kind in (*SHORT, *OF_A_VARIANT))
    variants = ", ".join(_on_cpu(scenario))
    return UnknownPolicy(
        f"There is no policy {name!r}: choose {', '.join(ALONE)}, or {kinds} with a variant "
        f"({variants}), or fixed-VARIANT-CORES, or all."
    )
