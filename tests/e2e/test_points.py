"""
A service whose pods hold several networks of the ladder as operating points: in a burst accuracy
falls, and with an accuracy floor no less accurate network answers.

Its profile is grouped from the networks' measured profiles, as a user would do.
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
CALM = 0.1  # times the capacity of the most accurate network at the whole budget
MOSTLY = 0.6
"""Share of answers. A single request costs twice the CPU of one in the flood that was measured."""

CALM_S = 5.0  # of calm load, whose answers are counted
BURST_S = 5.0  # shorter than the start of a new plan's pods
FLOOR = 0.9  # above the accuracies of glyph-1 and glyph-2
HEARD_S = 5.0  # until a floor in the spec reaches the router


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
    """A burst beyond the most accurate network's capacity is answered in time by faster ones."""
    burst = burst_of(live, rungs)
    answered_by = points(burst)
    figures.note("grouped, in a burst: answered within the SLO", share(burst, in_time), ">= 0.95")
    figures.note("grouped, in a burst: answered by", answered_by)
    assert share(burst, in_time) >= 0.95
    assert answered_by.get(GROUPED[-1], 0.0) < MOSTLY


def burst_of(live: Live, rungs: dict[str, Rung]) -> list[Outcome]:
    """Send a burst half-way between the planned pod's capacities at its best and fastest point."""
    cpu_m = cpu_millicores(live.plan["allocations"][0]["resources"]["cpu"])
    slow_rps, fast_rps = (rungs[GROUPED[n]].capacity_rps(cpu_m) for n in (-1, 0))
    return Load(live.url, even((slow_rps + fast_rps) / 2, BURST_S)).wait()


def under_a_floor(live: Live, rungs: dict[str, Rung], figures: Figures) -> None:
    """Networks below the floor must answer nothing, although the pods could use them."""
    live.kube.patch("inferenceservices", NAME, {"spec": {"accuracyFloor": str(FLOOR)}})
    time.sleep(HEARD_S)
    answered_by = points(burst_of(live, rungs))
    figures.note("grouped, under a floor of 0.9: answered by", answered_by)
    assert min(ACCURACY[point] for point in answered_by) >= FLOOR


def points(outcomes: Sequence[Outcome]) -> dict[str, float]:
    """Return the share of the answers by operating point."""
    counts = Counter(o.point for o in outcomes if o.answered and o.point)
    return {point: n / counts.total() for point, n in counts.items()}
