"""
Pods that do not become Ready: variants whose image is missing or whose container crashes, and a
rolling update of all variants while their image is unavailable. The operator's patience is set to
seconds.
"""

import contextlib
import copy
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import pytest

from infadapter_workload.outcomes import Outcome
from tests.e2e.figures import Figures, keep_log
from tests.e2e.host import PYTHON
from tests.e2e.kube import Kube, Recorder, recording, wait_for
from tests.e2e.live import AGAIN_S, EVEN_S, Live
from tests.e2e.load import (
    Load,
    even,
    failures,
    going_on,
    in_time,
    share,
    shares_by_variant,
)
from tests.e2e.release import Release
from tests.e2e.services import ACCURATE, Rung, service, variant
from tests.e2e.turns import Room
from tests.e2e.watched import Moment, created, log_of, messages, moments, since

pytestmark = [pytest.mark.cluster, pytest.mark.timeout(600)]

Json = dict[str, Any]

GONE = "localhost:9/none:1"  # nothing listens at this port, so each pull fails at once
GOOD, BAD = "glyph-1", "glyph-3"


@pytest.fixture(scope="module", autouse=True)
def impatient(release: Release, burning: Load) -> None:
    """Shorten patience, with the service `burning` running, which needs time to start, too."""
    release.hurry()


def without_image(template: Json) -> None:
    template["spec"]["containers"][0] |= {"image": GONE, "imagePullPolicy": "Always"}


def crashing(template: Json) -> None:
    command = [PYTHON, "-c", "raise SystemExit(3)"]
    template["spec"]["containers"][0] |= {"command": command, "args": []}


# --- one failing variant -----------------------------------------------------------------------

FEW_RPS = 10.0
TRIED_S = 25.0  # includes the retries after 5 s and 10 s


DAMAGED = {"no-image": without_image, "crash": crashing}


@dataclass(frozen=True, slots=True)
class Tried:
    """A service with a variant that does not become Ready, and the outcomes of its requests."""

    made_s: float
    served_s: float
    outcomes: list[Outcome]
    events: list[str]
    found: list[Moment]


@pytest.fixture(scope="module")
def tried(kube: Kube, rungs: dict[str, Rung], impatient: None) -> dict[str, Tried]:
    """Run all services at the same time: they have little load and mostly wait."""
    made_s = time.time()
    try:
        with recording(kube, "pods", "inferenceservices") as recorder:
            for name, damage in DAMAGED.items():
                good, bad = variant(GOOD, name), variant(BAD, name)
                damage(bad["template"])
                body = service(name, [good, bad], budget={"cpu": "500m"})
                kube.create("inferenceservices", body)
            served_s = {name: when_it_serves(Live(kube, name)) for name in DAMAGED}
            loads = {name: Load(Live(kube, name).url, even(FEW_RPS, TRIED_S)) for name in DAMAGED}
            outcomes = {name: load.wait() for name, load in loads.items()}
            events = {name: events_of(kube, name, "VariantUnavailable") for name in DAMAGED}
            seen = list(recorder.seen)
    finally:
        for name in DAMAGED:
            kube.delete("inferenceservices", name)
    return {
        name: Tried(made_s, served_s[name], outcomes[name], events[name], moments(seen, name))
        for name in DAMAGED
    }


def when_it_serves(live: Live) -> float:
    live.wait_until_it_serves()
    return time.time()


@pytest.mark.parametrize(
    ("name", "cause", "words"),
    [("no-image", "ImageUnavailable", GONE), ("crash", "CrashLoop", "exit code 3")],
)
def test_a_variant_that_does_not_come_is_done_without(
    name: str, cause: str, words: str, tried: dict[str, Tried], figures: Figures
) -> None:
    """The failing variant is the more accurate one, so it is planned whenever it is allowed."""
    one = tried[name]
    keep_log(name, log_of(one.found, one.made_s))
    figures.note(f"{name}: to the first pod with traffic, s", one.served_s - one.made_s)
    figures.note(f"{name}: answered 2xx", share(one.outcomes, lambda o: o.answered), "1")
    figures.note(f"{name}: answered by", shares_by_variant(one.outcomes))
    figures.note(f"{name}: pods made", created(one.found, 0))
    assert share(one.outcomes, lambda o: o.answered) == 1.0
    assert shares_by_variant(one.outcomes) == {GOOD: 1.0}
    assert len(one.events) == 1, one.events
    judge_absence(since(one.found, one.served_s), cause, words)


def judge_absence(after: Sequence[Moment], cause: str, words: str) -> None:
    """Check the conditions from the first served request on."""
    assert {available(one, BAD)[:2] for one in after} == {("False", cause)}
    assert words in available(after[-1], BAD)[2]
    assert {available(one, GOOD)[0] for one in after} == {"True"}
    assert {one.condition("VariantsAvailable")["status"] for one in after} == {"False"}
    is_ready = [one.condition("Ready").get("status") for one in after]
    assert set(is_ready[is_ready.index("True") :]) == {"True"}, messages(after, "Ready")
    assert any(planned(one) == {GOOD} for one in after)


def planned(one: Moment) -> set[str]:
    return {p["variant"] for p in one.plan.get("allocations", ())}


def available(one: Moment, name: str) -> tuple[str, str, str]:
    """Return status, reason and message of a variant's condition Available."""
    told = (v for v in one.status.get("variants") or () if v["variant"] == name)
    conditions = (c for v in told for c in v.get("conditions") or ())
    said: Json = next((c for c in conditions if c["type"] == "Available"), {})
    return said.get("status", ""), said.get("reason", ""), said.get("message", "")


def events_of(kube: Kube, name: str, reason: str) -> list[str]:
    return [
        event["message"]
        for event in kube.list("events")
        if event["involvedObject"]["name"] == name and event["reason"] == reason
        for _ in range(event.get("count") or 1)
    ]


# --- a rolling update without its image ----------------------------------------------------------

ROLLED_S = 60.0
ROLLED_BUDGET_M = 600
MOST_MADE = 2
"""Pods created per variant in a minute: one by the roll, and one by a retry."""


@pytest.fixture
def rolling(kube: Kube, rungs: dict[str, Rung], small_room: Room) -> Iterator[tuple[Live, Load]]:
    """A service whose load needs both of its variants."""
    live = Live(kube, "roll")
    budget = {"cpu": f"{ROLLED_BUDGET_M}m"}
    body = service(live.name, healthy(live.name), budget=budget, objective=ACCURATE)
    kube.create("inferenceservices", body)
    with contextlib.ExitStack() as ended:
        ended.callback(kube.delete, "inferenceservices", live.name)
        with small_room():
            live.wait_until_it_serves()
            load = ended.enter_context(going_on(live.url, even(between_rps(rungs), 3600)))
            live.settle(EVEN_S)
        live.settle(AGAIN_S)
        assert {p["variant"] for p in live.plan["allocations"]} == {GOOD, BAD}, live.why()
        yield live, load


def between_rps(rungs: dict[str, Rung]) -> float:
    """Return a rate beyond the accurate variant's capacity, and within that of most mixtures."""
    least, most = (rungs[each].capacity_rps(ROLLED_BUDGET_M) for each in (BAD, GOOD))
    return least + (most - least) / 8


def test_a_roll_of_all_whose_image_is_away_costs_no_ready_pod(
    rolling: tuple[Live, Load], figures: Figures
) -> None:
    live, load = rolling
    with recording(live.kube, "pods", "inferenceservices") as recorder:
        wait_for("the watch begins", lambda: recorder.since(0, "pods"))
        old = {pod["metadata"]["name"] for pod in live.pods()}
        rolled_s = time.time()
        away = while_away(live, recorder)
        back_s = time.time()
        put_variants(live, healthy(live.name))
        live.wait_for_condition("VariantsAvailable", "True", 60)
        live.settle(2)
        figures.note("roll: image back: to all Ready and as planned, s", time.time() - back_s)
        outcomes = load.since(rolled_s)
    made = created(away, rolled_s)
    keep_log(live.name, log_of(away, rolled_s))
    figures.note("roll: answered 2xx", share(outcomes, lambda o: o.answered), ">= 0.999")
    figures.note("roll: within the SLO", share(outcomes, in_time))
    figures.note("roll: pods made in a minute", made, f"<= {MOST_MADE} each")
    figures.note("roll: cores held at most", max(one.held_m for one in away) / 1000)
    assert all(old <= one.ready for one in away), [one.ready for one in away]
    assert failures(outcomes) == []
    assert share(outcomes, lambda o: o.answered) >= 0.999
    assert max(made.values(), default=0) <= MOST_MADE
    assert {available(away[-1], each)[1] for each in (GOOD, BAD)} == {"ImageUnavailable"}
    assert GONE in away[-1].condition("VariantsAvailable")["message"]


def while_away(live: Live, recorder: Recorder) -> list[Moment]:
    since_s, variants = time.time(), copy.deepcopy(healthy(live.name))
    for each in variants:
        without_image(each["template"])
    put_variants(live, variants)
    time.sleep(ROLLED_S)
    return since(moments(list(recorder.seen), live.name), since_s)


def healthy(name: str) -> list[Json]:
    return [variant(GOOD, name), variant(BAD, name)]


def put_variants(live: Live, variants: list[Json]) -> None:
    live.kube.patch("inferenceservices", live.name, {"spec": {"variants": variants}})
