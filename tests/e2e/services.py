"""The objects that these tests apply: profiles of the ladder on this machine, and services."""

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
"""An objective for which the budget is there to be used: a step finds it full."""
QUOTA_PERIOD_S = 0.1  # of the kernel's CPU limits: who has used up his part waits for the next
FULLEST = 0.6  # of what saturates a server: it is not alone on the machine
FLOOD_S, WARM_S = 4.0, 1.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Rung:
    """A network of the ladder as this machine runs it in a pod."""

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
        The rate whose 99th percentile is still within the SLO: the tail of a queue with constant
        service times (M/D/1), and a pause of the quota. 0 if even an idle server would be late.
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
    """What the middle network can serve with less than half of the budget."""
    return 0.35 * rungs["glyph-3"].capacity_rps()


def measure(kube: Kube, variant: str) -> Rung:
    """One pod that starts small, as in a rise of the load, and then has the whole budget."""
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
    """Its capacities as numbers; a size that serves nothing within the SLO is left out."""
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
    """Short times; a test changes what matters to it."""
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
