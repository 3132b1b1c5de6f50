"""
Convert an InferenceService and the profiles that it names to the loop's `Service`.

This happens once, at the edge: inside the loop there are only plain numbers, each in one unit.
"""

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import ClassVar

from infadapter_operator.api.profiles import VariantProfileSpec
from infadapter_operator.api.service import InferenceServiceSpec
from infadapter_operator.api.variant import VariantSpec
from infadapter_operator.domain.service import Calendar, Service
from infadapter_operator.planning.capacity import fits
from infadapter_profiles.capacity import NotMeasured
from infadapter_profiles.offered import offered
from infadapter_profiles.profile import Profile
from infadapter_profiles.quantities import amounts_as_quantities
from infadapter_solver.problem import CPU, Objective, Resources, Variant


class ProfilesUnresolved(Exception):
    """The spec is valid by itself but cannot be carried out with its profiles."""

    reason: ClassVar[str] = "ProfilesUnresolved"


class ProfileMissing(ProfilesUnresolved):
    reason = "ProfileMissing"


class ProfileUnfit(ProfilesUnresolved):
    """A profile lacks required data, or none of its allocations fits the budget."""

    reason = "ProfileUnfit"


def service_from(
    spec: InferenceServiceSpec,
    profiles: Mapping[str, VariantProfileSpec],
    namespace: str,
    name: str,
) -> Service:
    """Return the service; `profiles` are by name. Raises ProfileMissing or ProfileUnfit."""
    slo_s = spec.slo.latency_milliseconds / 1000
    measured = {variant.name: _profile(variant, profiles, spec) for variant in spec.variants}
    variants = tuple(
        _variant(variant.profile_ref.name, measured[variant.name], spec, slo_s)
        for variant in spec.variants
    )
    _check(spec, variants)
    return Service(
        namespace=namespace,
        name=name,
        slo_s=slo_s,
        percentile=spec.slo.percentile,
        variants=variants,
        max_surge=spec.max_surge_amounts,
        accuracy_floor=spec.accuracy_floor,
        minimum_rps=spec.demand.minimum_rps,
        forecast=spec.forecast.method,
        quantile=spec.forecast.quantile,
        horizon_s=float(spec.forecast.horizon_seconds),
        calendar=Calendar(season=spec.forecast.season, zone=spec.forecast.time_zone),
        interval_s=float(spec.scaling.interval_seconds),
        stabilization_s=float(spec.scaling.scale_down_stabilization_seconds),
        min_replicas=spec.scaling.min_replicas,
        mode=spec.mode,
        profiles=measured,
        objective=_objective(spec),
    )


def _objective(spec: InferenceServiceSpec) -> Objective:
    return Objective(
        budget=spec.budget_amounts,
        prices=dict(spec.prices),
        accuracy_weight=spec.objective.accuracy_weight,
        cost_weight=spec.objective.cost_weight,
        loading_weight=spec.objective.loading_weight,
    )


def _check(spec: InferenceServiceSpec, variants: Sequence[Variant]) -> None:
    """Raises ProfileUnfit."""
    _check_floor(spec.accuracy_floor, variants)
    for asked, variant in zip(spec.variants, variants, strict=True):
        if asked.deployment_ref is not None:
            _check_one_batch_size(asked.profile_ref.name, variant)
    if not any(a.capacity_rps > 0 for variant in variants for a in variant.allocations):
        raise ProfileUnfit(
            f"no variant serves anything within {spec.slo.latency_milliseconds} ms at percentile"
            f" {spec.slo.percentile:g}: {_more_latency(spec.accuracy_floor)}"
        )


def _more_latency(floor: float) -> str:
    lower = ", or lower accuracyFloor" if floor else ""
    return f"allow more latency or profile larger allocations{lower}"


def _profile(
    variant: VariantSpec,
    profiles: Mapping[str, VariantProfileSpec],
    spec: InferenceServiceSpec,
) -> Profile:
    named = variant.profile_ref.name
    found = profiles.get(named)
    if found is None:
        raise ProfileMissing(f"variant {variant.name} names VariantProfile {named}: create it")
    try:
        profile = found.as_profile(variant.name)
    except ValueError as error:  # duplicate rows, or rows that contradict the operating points
        raise ProfileUnfit(f"VariantProfile {named}: {error}") from None
    _check_budget(named, profile, spec.budget_amounts)
    return profile


def _variant(named: str, profile: Profile, spec: InferenceServiceSpec, slo_s: float) -> Variant:
    try:
        return offered(profile, slo_s, spec.slo.percentile, accuracy_floor=spec.accuracy_floor)
    except NotMeasured as error:
        raise ProfileUnfit(f"VariantProfile {named}: {error}") from None


def _check_floor(floor: float, variants: Sequence[Variant]) -> None:
    best = max(variants, key=lambda variant: variant.accuracy)
    if best.accuracy < floor:
        raise ProfileUnfit(
            f"no variant is as accurate as accuracyFloor {floor:g}, the best is {best.name} with"
            f" {best.accuracy:g}: lower the floor or add a more accurate variant"
        )


def _check_budget(named: str, profile: Profile, budget: Resources) -> None:
    sizes = [allocation.resources for allocation in profile.allocations]
    if any(fits(size, budget) for size in sizes):
        return
    smallest = min(sizes, key=lambda size: (len(size), size.get(CPU, 0)))
    raise ProfileUnfit(
        f"the budget ({_text(budget)}) is below the smallest allocation of variant"
        f" {profile.variant}, VariantProfile {named} ({_text(smallest)}):"
        " raise the budget or drop the variant"
    )


def _check_one_batch_size(named: str, variant: Variant) -> None:
    """
    Raise ProfileUnfit if a borrowed Deployment's profile has several batch sizes for one pod size.
    The operator cannot set the batch limit of such a Deployment, so the pod size must determine it.
    """
    sizes = Counter(tuple(sorted(a.resources.items())) for a in variant.allocations)
    several = next((dict(size) for size, times in sizes.items() if times > 1), None)
    if several is not None:
        raise ProfileUnfit(
            f"variant {variant.name} borrows a Deployment, whose batch limit nobody sets, and"
            f" VariantProfile {named} offers {_text(several)} with several batch sizes: keep the"
            " one that its server has, or give the variant a template"
        )


def _text(amounts: Resources) -> str:
    return ", ".join(f"{k}={v}" for k, v in sorted(amounts_as_quantities(amounts).items()))
