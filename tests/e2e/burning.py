"""
A service whose error budget will burn. It begins early, as a window of it must be known first.

Its profile promises more than the pods deliver, and nobody scrapes the pods: what they miss is seen
at the router alone, so that only the error budget can make room.
"""

from typing import Any

from tests.e2e.kube import Kube
from tests.e2e.live import Live
from tests.e2e.load import Load, even
from tests.e2e.services import Rung, profile, service, variant

Json = dict[str, Any]

NAME, RUNG = "burning", "glyph-4"
BUDGET_M, SURGE_M = 600, 300
"""Others need the node meanwhile."""

PROMISED, CALM, BUSY = 4.0, 0.1, 1.7
"""
What the profile says, of what pods deliver; and the loads, of what saturates all of the budget.
The busy one is within what is promised and beyond what is delivered, also with all of the surge:
room alone ends no alert.
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
    """Beside the calm one."""
    return Load(live.url, even((BUSY - CALM) * most_rps(rung), 1200))


def usual_rps(rung: Rung) -> float:
    """No less than a plan with the usual reserve serves."""
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
