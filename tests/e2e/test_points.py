"""
A service whose pods hold all networks of the ladder: what a burst costs, and what a floor forbids.

Its profile follows from those of the networks, as a user's would who groups what he has measured.
"""

import time
from collections import Counter
from collections.abc import Iterator, Sequence

import pytest

from infadapter_profiles.document import ProfileDocument, write_document
from infadapter_profiles.grouped import grouped
from infadapter_profiles.quantities import cpu_millicores
from infadapter_workload.outcomes import Outcome
from tests.e2e.figures import Figures
from tests.e2e.host import server_template
from tests.e2e.kube import Json, Kube, wait_for
from tests.e2e.live import EVEN_S, Live
from tests.e2e.load import Load, even, in_time, share, steady
from tests.e2e.services import ACCURACY, Rung, as_measured, service
from tests.e2e.turns import Room

pytestmark = [pytest.mark.cluster, pytest.mark.timeout(600)]

NAME, LADDER = "grouped", "ladder"
GROUPED = ("glyph-1", "glyph-2", "glyph-3")
FOLDER = "/models/grouped"
CALM = 0.1  # of what the most accurate network serves with the whole budget
MOSTLY = 0.6
"""Of the answers: one at a time costs twice the CPU that it does in a flood, which was measured."""

CALM_S = 5.0  # alone, of which the answers are counted
BURST_S = 5.0  # over before the next plan's pods could come
FLOOR = 0.9  # above glyph-1 and glyph-2
HEARD_S = 5.0  # from a floor in the spec to the router: a look, a planning, and a second


@pytest.fixture
def service_of_one_pod(
    kube: Kube, rungs: dict[str, Rung], usual: None, room: Room, deleted: list[Live]
) -> Iterator[Live]:
    kube.create("configmaps", configuration())
    kube.create("variantprofiles", grouped_profile(rungs))
    live = Live(kube, NAME)
    kube.create("inferenceservices", service(NAME, [ladder_variant()]))
    try:
        with room():
            live.wait_until_it_serves()
        yield live
    finally:
        kube.delete("inferenceservices", NAME)
        deleted.append(live)


def configuration() -> Json:
    networks = f"ladder: [{', '.join(GROUPED)}]\nbatch_sizes: [1, 2, 4]\n"
    data = {"config.yaml": networks, "version": "a version is a folder"}
    return {"metadata": {"name": LADDER}, "data": data}


def grouped_profile(rungs: dict[str, Rung]) -> Json:
    profiles = [as_measured(rungs[name]) for name in GROUPED]
    return write_document(ProfileDocument(profile=grouped(LADDER, profiles)))


def ladder_variant() -> Json:
    template = server_template(GROUPED[0], NAME)
    container = template["spec"]["containers"][0]
    container["command"] = [*container["command"][:1], "--model", f"{NAME}={FOLDER}"]
    container["volumeMounts"] += [{"name": LADDER, "mountPath": FOLDER}]
    items = [{"key": "config.yaml", "path": "config.yaml"}, {"key": "version", "path": "1/version"}]
    template["spec"]["volumes"] += [{"name": LADDER, "configMap": {"name": LADDER, "items": items}}]
    return {"name": LADDER, "profileRef": {"name": LADDER}, "template": template}


def test_a_burst_costs_accuracy_and_a_floor_is_kept(
    service_of_one_pod: Live, rungs: dict[str, Rung], room: Room, figures: Figures
) -> None:
    live = service_of_one_pod
    with steady(live.url, CALM * rungs["glyph-3"].capacity_rps()) as load:
        with room():
            live.settle(EVEN_S)
            wait_for("accuracy as served is told", lambda: live.status.get("servedAccuracy"), 60)
        time.sleep(CALM_S)
        figures.note("grouped, calm: plan", live.plan["summary"])
        figures.note("grouped, calm: accuracy as served", live.status["servedAccuracy"])
        assert points(load.since(time.time() - CALM_S))[GROUPED[-1]] > MOSTLY
        in_a_burst(live, rungs, figures)
        under_a_floor(live, rungs, figures)


def in_a_burst(live: Live, rungs: dict[str, Rung], figures: Figures) -> None:
    """More than the most accurate network serves in the pod that is there."""
    burst = burst_of(live, rungs)
    answered_by = points(burst)
    figures.note("grouped, in a burst: answered within the SLO", share(burst, in_time), ">= 0.95")
    figures.note("grouped, in a burst: answered by", answered_by)
    assert share(burst, in_time) >= 0.95
    assert answered_by.get(GROUPED[-1], 0.0) < MOSTLY


def burst_of(live: Live, rungs: dict[str, Rung]) -> list[Outcome]:
    """Half-way from what the most accurate network serves in the planned pod to the fastest one."""
    cpu_m = cpu_millicores(live.plan["allocations"][0]["resources"]["cpu"])
    slow_rps, fast_rps = (rungs[GROUPED[n]].capacity_rps(cpu_m) for n in (-1, 0))
    return Load(live.url, even((slow_rps + fast_rps) / 2, BURST_S)).wait()


def under_a_floor(live: Live, rungs: dict[str, Rung], figures: Figures) -> None:
    """What is below it answers nothing any more, though the pods could."""
    live.kube.patch("inferenceservices", NAME, {"spec": {"accuracyFloor": str(FLOOR)}})
    time.sleep(HEARD_S)
    answered_by = points(burst_of(live, rungs))
    figures.note("grouped, under a floor of 0.9: answered by", answered_by)
    assert min(ACCURACY[point] for point in answered_by) >= FLOOR


def points(outcomes: Sequence[Outcome]) -> dict[str, float]:
    """The share of the answers that each operating point gave."""
    counts = Counter(o.point for o in outcomes if o.answered and o.point)
    return {point: n / counts.total() for point, n in counts.items()}
