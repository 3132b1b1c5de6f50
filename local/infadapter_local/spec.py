"""
The demo's InferenceService: five variants of one model, with time constants for a one-minute trace.
"""

from collections.abc import Iterable, Sequence
from dataclasses import replace

from infadapter_local.cgroups import WHOLE_CORE, Cores, Quotas
from infadapter_operator.domain.service import Service
from infadapter_profiles.offered import to_variant
from infadapter_profiles.profile import Profile
from infadapter_solver import CPU, Allocation, Objective, Plan, PodGroup, Problem, Variant, solve

NAMESPACE, NAME = "demo", "glyphs"
SLO_S, PERCENTILE = 0.25, 99.0
BUDGET_MILLICORES = 800
"""Two cores minus the router, the generator, the operator and the surge."""
STEP_MILLICORES = 100
COST_WEIGHT = 0.06
HEADROOM = 0.9
"""Factor on calibrated rates, which are measured for a second or two instead of a minute."""


class NothingFits(Exception):
    """No variant serves within the SLO here; the message gives the numbers."""


def demo_service(
    profiles: Iterable[Profile], budget_millicores: int, limits: Quotas | Cores
) -> Service:
    """
    Return the loop's Service with the variants that serve anything within the SLO here. Without CPU
    quotas the only size is a core. Raises NothingFits if no variant is left, or the budget holds no
    pod.
    """
    measured = tuple(profiles)
    variants = _serving(measured, budget_millicores, limits)
    return Service(
        namespace=NAMESPACE,
        name=NAME,
        slo_s=SLO_S,
        percentile=PERCENTILE,
        variants=variants,
        max_surge={CPU: budget_millicores},
        horizon_s=10.0,
        interval_s=5.0,
        stabilization_s=6.0,
        profiles={profile.variant: profile for profile in measured},
        objective=Objective(
            budget={CPU: budget_millicores}, cost_weight=COST_WEIGHT, loading_weight=0.001
        ),
    )


def highest_rps(service: Service) -> float:
    """Return the highest rate that the whole budget serves with any single variant."""
    return max(_capacity_rps(service, variant) for variant in service.variants)


def static_single(service: Service, peak_rps: float) -> Service:
    """
    Return the best single variant on a constant size, chosen in hindsight: of the variants whose
    smallest sufficient size fits the budget, the one with the highest objective. Raises
    NothingFits.
    """
    plans = [_plan(replace(service, variants=(v,)), peak_rps) for v in service.variants]
    feasible = [plan for plan in plans if plan.feasible and plan.objective is not None]
    if not feasible:
        raise NothingFits(f"No variant serves {peak_rps:.0f} requests/s within the budget.")
    best = max(feasible, key=lambda plan: plan.objective or 0.0)
    return fixed(service, best.groups)


def full_budget(service: Service, peak_rps: float) -> Service:
    """Return the most accurate choice for the peak that the whole budget buys, held throughout."""
    plan = _plan(replace(service, objective=replace(service.objective, cost_weight=0.0)), peak_rps)
    return fixed(service, plan.groups)


def resized_single(service: Service, single: Service) -> Service:
    """Return the single variant, resized by our loop."""
    name = single.variants[0].name
    return replace(service, variants=tuple(v for v in service.variants if v.name == name))


def fixed(service: Service, groups: Sequence[PodGroup]) -> Service:
    """
    Return the service with no choice left: these pods and sizes at any load. Every pod occupies a
    slot of its variant, and the budget has exactly these slots, so that the loop cannot change the
    number of pods even under overload.
    """
    by_variant = {group.target.variant: group for group in groups}
    slots = {slot_of(name): group.pods for name, group in by_variant.items()}
    return replace(
        service,
        variants=tuple(
            replace(variant, allocations=(_in_slot(variant.name, by_variant[variant.name]),))
            for variant in service.variants
            if variant.name in by_variant
        ),
        minimum_rps=sum(group.capacity_rps for group in groups),
        min_replicas=sum(group.pods for group in groups),
        objective=replace(
            service.objective,
            budget={CPU: sum(g.pods * g.allocation.cpu_millicores for g in groups), **slots},
            prices={CPU: 1.0, **dict.fromkeys(slots, 0.0)},
        ),
    )


def slot_of(variant: str) -> str:
    return f"slot/{variant}"


def _in_slot(variant: str, group: PodGroup) -> Allocation:
    size = group.allocation.size
    in_slot = replace(size, resources={**size.resources, slot_of(variant): 1})
    return replace(group.allocation, size=in_slot)


def _plan(service: Service, demand_rps: float) -> Plan:
    return solve(
        Problem(
            variants=service.variants,
            demand_rps=demand_rps,
            objective=Objective(
                budget=service.budget,
                accuracy_weight=service.objective.accuracy_weight,
                cost_weight=service.objective.cost_weight,
            ),
        )
    )


def _capacity_rps(service: Service, variant: Variant) -> float:
    """Return the rate of as many pods of one size as the budget holds."""
    budget = service.budget[CPU]
    counts = ((a, budget // a.cpu_millicores) for a in variant.allocations)
    return max((pods * a.capacity_rps for a, pods in counts), default=0.0)


def _serving(
    profiles: Iterable[Profile], budget_millicores: int, limits: Quotas | Cores
) -> tuple[Variant, ...]:
    usable = (_usable(_variant(profile, limits), limits) for profile in profiles)
    serving = tuple(variant for variant in usable if variant.allocations)
    if not serving:
        raise NothingFits(
            f"This machine is too slow: no variant serves within {1000 * SLO_S:.0f} ms on a size "
            f"of up to {WHOLE_CORE}m."
        )
    smallest = min(a.cpu_millicores for variant in serving for a in variant.allocations)
    if smallest > budget_millicores:
        raise NothingFits(
            f"A budget of {budget_millicores}m holds no pod; the smallest that serves within "
            f"{1000 * SLO_S:.0f} ms here has {smallest}m."
        )
    return serving


def _variant(profile: Profile, limits: Quotas | Cores) -> Variant:
    step = STEP_MILLICORES if limits.resizable else None
    return to_variant(profile, SLO_S, PERCENTILE, headroom=HEADROOM, step_millicores=step)


def _usable(variant: Variant, limits: Quotas | Cores) -> Variant:
    """
    Return the variant without sizes that serve nothing within the SLO or that this machine lacks.
    """
    usable = (a for a in variant.allocations if a.capacity_rps > 0)
    fitting = (a for a in usable if limits.has(a.cpu_millicores))
    return replace(variant, allocations=tuple(fitting))
