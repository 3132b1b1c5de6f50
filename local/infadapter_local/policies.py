"""The policies that a demo plays: our loop, and the baselines on the same arrivals."""

from dataclasses import dataclass

from infadapter_local.spec import full_budget, resized_single, static_single
from infadapter_operator.domain.service import Service
from infadapter_solver import CPU


@dataclass(frozen=True, slots=True, kw_only=True)
class Policy:
    title: str
    service: Service
    explanation: str


def compared(
    service: Service,
    peak: float,
    *,
    baselines: bool,
    whole: bool,
    resized: bool,
    grouped: Service | None,
) -> list[Policy]:
    """
    Return the policies, ours first; baselines serve the given peak, requests/s. Raises NothingFits.
    """
    ours = Policy(
        title="infadapter",
        service=service,
        explanation="The operator's loop with all variants that serve within the SLO here.",
    )
    if not baselines:
        return [ours]
    single = static_single(service, peak)
    policies = [ours, _single(single)]
    if whole:
        policies.append(_full_budget(full_budget(service, peak)))
    if resized:
        policies.append(_resized(resized_single(service, single)))
    if grouped is not None:
        policies.append(_grouped(grouped))
    return policies


def _single(service: Service) -> Policy:
    return Policy(
        title=f"{service.variants[0].name} alone",
        service=service,
        explanation="The best single variant: of those that serve the trace's peak within the "
        "budget, each on the smallest size that does, the one of the highest objective; chosen "
        f"knowing the peak, and held throughout ({_said(service)}).",
    )


def _full_budget(service: Service) -> Policy:
    return Policy(
        title="full budget, fixed",
        service=service,
        explanation="The most accurate choice for the trace's peak that the whole budget buys, "
        f"held throughout ({_said(service)}); traffic still goes to the most accurate first.",
    )


def _resized(service: Service) -> Policy:
    return Policy(
        title=f"{service.variants[0].name} resized",
        service=service,
        explanation="The same single variant, its size chosen by our loop.",
    )


def _grouped(service: Service) -> Policy:
    (variant,) = service.variants
    return Policy(
        title="ladder in one pod",
        service=service,
        explanation="The same loop at the same budget with one variant, whose pods hold all the "
        f"networks ({', '.join(_networks(service))}): a pod answers each batch with the most "
        "accurate one that keeps up, and needs no start to change it. Its capacities are those of "
        "the networks' own profiles, which a short look at each point in its server may have "
        f"lowered; it starts in {variant.load_time_s:.1f} s.",
    )


def _networks(service: Service) -> list[str]:
    profiles = service.profiles.values()
    return [point.name for profile in profiles for point in profile.operating_points]


def _said(service: Service) -> str:
    sizes = ", ".join(f"{v.name} on {v.allocations[0].cpu_millicores}m" for v in service.variants)
    pods = "1 pod" if service.min_replicas == 1 else f"{service.min_replicas} pods"
    return f"{pods}: {sizes}, {service.budget[CPU]}m in all"
