"""
A service whose error budget will burn. It starts early, so that a whole window is known in time.

Its profile promises more than the pods deliver, and the pods are not scraped. So missed requests
are counted at the router only, and only the error budget can increase the capacity.
"""

from typing import Any

from tests.e2e.kube import Kube
from tests.e2e.live import Live
from tests.e2e.load import Load, even
from tests.e2e.services import Rung, profile, service, variant

Json = dict[str, Any]

NAME, RUNG = "burning", "glyph-4"
BUDGET_M, SURGE_M = 600, 300
"""In millicores; small, because other tests use the node at the same time."""

PROMISED, CALM, BUSY = 4.0, 0.1, 1.7
"""
PROMISED: profiled relative to delivered capacity. CALM, BUSY: loads relative to the rate that
saturates the whole budget. The busy load is within the profiled capacity and beyond the delivered
one, even with all surge: more capacity alone ends no alert.
"""


def most_rps(rung: Rung) -> float:
    return BUDGET_M / 1000 / rung.service_s


def calm(kube: Kube, rung: Rung) -> Load:
    kube.create("variantprofiles", _too_good(rung))
    kube.create("inferenceservices", _unscraped())
    live = Live(kube, NAME)
    live.wait_until_it_serves()
    return Load(live.url, even(CALM * most_rps(rung), 3600))


def busy(live: Live, rung: Rung) -> Load:
    """Start the load that, with the calm one, makes the busy one."""
    return Load(live.url, even((BUSY - CALM) * most_rps(rung), 1200))


def usual_rps(rung: Rung) -> float:
    """Return an upper bound on the profiled capacity of a plan with the usual reserve."""
    return PROMISED * rung.capacity_rps(BUDGET_M - 100)


def _too_good(rung: Rung) -> Json:
    document = profile(rung)
    document["metadata"]["name"] = NAME
    for allocation in document["spec"]["allocations"]:
        [capacity] = allocation["capacity"]
        capacity["rps"] = f"{PROMISED * float(capacity['rps']):.3f}"
    return document


def _unscraped() -> Json:
    one = variant(RUNG, NAME, profile_name=NAME)
    one["template"]["metadata"]["annotations"] = {}
    document = service(NAME, [one], budget={"cpu": f"{BUDGET_M}m"}, minReplicas=1)
    document["spec"]["scaling"]["maxSurge"] = {"cpu": f"{SURGE_M}m"}
    return document
