"""Objects that the tests apply: profiles of the ladder measured on this machine, services."""

import asyncio
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from infadapter_local.shipped import shipped_profiles
from infadapter_operator.domain.names import API_VERSION, KIND
from infadapter_profiles.document import ProfileDocument, write_document
from infadapter_profiles.profile import KnownCapacity, Profile, ProfiledAllocation
from infadapter_profiles.sizes import CPU, PodSize
from infadapter_server.loadgen import flood
from tests.e2e.host import server_template
from tests.e2e.kube import STRATEGIC, Kube, wait_for
from tests.e2e.load import BODIES, SLO_MS

Json = dict[str, Any]

ACCURACY = {profile.variant: profile.accuracy for profile in shipped_profiles()}
RUNGS = tuple(ACCURACY)  # smallest first
PERCENTILE = 99
INTERVAL_S, STABILIZATION_S = 5, 15
BUDGET_M = 900
START_M = 300
SIZES_M = (200, 300, 400, 500, 600, 700, 800, 900)
ACCURATE = {"costWeight": "0.01", "loadingWeight": "0"}
"""An objective under which plans use the whole budget, so that a step in load finds it full."""
QUOTA_PERIOD_S = (
    0.1  # of CPU limits: a process that has used up its quota waits for the next period
)
FULLEST = 0.6  # share of the saturation rate at most: other processes use the machine, too
FLOOD_S, WARM_S = 4.0, 1.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Rung:
    """A network of the ladder, as measured in a pod on this machine."""

    variant: str
    accuracy: float
    saturation_rps: float  # with BUDGET_M
    load_s: float

    @property
    def service_s(self) -> float:
        """CPU seconds of one request."""
        return BUDGET_M / 1000 / self.saturation_rps

    def capacity_rps(self, cpu_m: int = BUDGET_M) -> float:
        """
        Return the largest rate whose 99th percentile latency is within the SLO, by the tail of an
        M/D/1 queue and a pause of the CPU quota. 0 if even an idle server would be late.
        """
        service_s = self.service_s / (cpu_m / 1000)
        pause_s = QUOTA_PERIOD_S * max(0.0, 1 - cpu_m / 1000)
        room_s = SLO_MS / 1000 - service_s - pause_s
        loads = [n / 100 for n in range(1, round(FULLEST * 100) + 1)]
        fits = [
            rho
            for rho in loads
            if math.log(max(rho, 0.0101) / 0.01) * service_s / (2 * (1 - rho)) <= room_s
        ]
        return max(fits, default=0.0) / service_s


def calm_rps(rungs: Mapping[str, Rung]) -> float:
    """Return a rate that the middle network serves with less than half of the budget."""
    return 0.35 * rungs["glyph-3"].capacity_rps()


def measure(kube: Kube, variant: str) -> Rung:
    """Measure a pod that starts small, as in a rise in load, and then gets the whole budget."""
    name = f"measure-{variant}"
    template = server_template(variant, "glyphs")
    spec = template["spec"]
    spec["containers"][0]["resources"] = cpu_resources(START_M)
    spec["containers"][0]["readinessProbe"] = {
        "httpGet": {"path": "/v2/health/ready", "port": 8080},
        "periodSeconds": 1,
    }
    spec["restartPolicy"] = "Never"
    pod = {"metadata": {"name": name}, "spec": spec}
    kube.create("pods", pod)
    try:
        live = wait_for(f"pod {name} is Ready", lambda: ready_pod(kube, name), 120)
        container = {"name": "server", "resources": cpu_resources(BUDGET_M)}
        kube.patch("pods", name, {"spec": {"containers": [container]}}, "resize", STRATEGIC)
        outcomes = asyncio.run(
            flood(
                host=live["status"]["podIP"],
                port=8080,
                path="/v2/models/glyphs/infer",
                bodies=BODIES,
                concurrency=4,
                duration_s=FLOOD_S,
                timeout_s=10,
            )
        )
    finally:
        kube.delete("pods", name, gracePeriodSeconds=0)
    answered = [o for o in outcomes if o.answered and o.done_s > WARM_S]  # after warming up
    assert answered, outcomes[:3]
    return Rung(
        variant=variant,
        accuracy=ACCURACY[variant],
        saturation_rps=len(answered) / (max(o.done_s for o in answered) - WARM_S),
        load_s=_seconds_to_ready(live),
    )


def cpu_resources(cpu_m: int) -> Json:
    cpu = {"cpu": f"{cpu_m}m"}
    return {"requests": cpu, "limits": cpu}


def ready_pod(kube: Kube, name: str) -> Json | None:
    pod = kube.find("pods", name)
    return pod if pod and is_ready(pod) else None


def is_ready(pod: Json) -> bool:
    conditions = pod.get("status", {}).get("conditions", ())
    return any(c["type"] == "Ready" and c["status"] == "True" for c in conditions)


def _seconds_to_ready(pod: Json) -> float:
    from datetime import datetime

    moments = {c["type"]: c["lastTransitionTime"] for c in pod["status"]["conditions"]}
    ready, created = moments["Ready"], pod["metadata"]["creationTimestamp"]
    span = datetime.fromisoformat(ready) - datetime.fromisoformat(created)
    return max(1.0, span.total_seconds())


def profile(
    rung: Rung, sizes_m: Sequence[int] = SIZES_M, devices: Mapping[str, int] | None = None
) -> Json:
    return write_document(ProfileDocument(profile=as_measured(rung, sizes_m, devices)))


def as_measured(
    rung: Rung, sizes_m: Sequence[int] = SIZES_M, devices: Mapping[str, int] | None = None
) -> Profile:
    """Return the profile with capacities as numbers, without sizes that serve under 1 rps."""
    allocations = tuple(
        ProfiledAllocation(
            size=PodSize(resources={CPU: cpu_m, **(devices or {})}),
            saturation_rps=cpu_m / 1000 / rung.service_s,
            capacity=(
                KnownCapacity(latency_s=SLO_MS / 1000, percentile=PERCENTILE, rps=capacity_rps),
            ),
        )
        for cpu_m in sizes_m
        if (capacity_rps := rung.capacity_rps(cpu_m)) >= 1
    )
    return Profile(
        variant=f"{rung.variant}{'-gpu' if devices else ''}",
        accuracy=rung.accuracy,
        load_time_s=rung.load_s,
        allocations=allocations,
    )


def service(name: str, variants: Sequence[Json], **changes: Any) -> Json:
    """Return a service with short intervals and these fields of the spec changed."""
    spec = {
        "slo": {"latencyMilliseconds": SLO_MS, "percentile": PERCENTILE},
        "objective": {"accuracyWeight": "1", "costWeight": "0.1", "loadingWeight": "0.005"},
        "budget": {"cpu": f"{BUDGET_M}m"},
        "forecast": {"horizonSeconds": 10},
        "scaling": {
            "intervalSeconds": INTERVAL_S,
            "scaleDownStabilizationSeconds": STABILIZATION_S,
            "maxSurge": {"cpu": "600m"},
        },
        "variants": list(variants),
    }
    return {
        "apiVersion": API_VERSION,
        "kind": KIND,
        "metadata": {"name": name},
        "spec": {**spec, **changes},
    }


def variant(rung: str, model: str, *, profile_name: str | None = None) -> Json:
    return {
        "name": rung,
        "profileRef": {"name": profile_name or rung},
        "template": server_template(rung, model),
    }


def ladder(model: str) -> list[Json]:
    return [variant(rung, model) for rung in RUNGS]
