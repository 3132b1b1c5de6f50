"""Loads that never end: in virtual time, and in a real child process."""

import asyncio
from collections.abc import Mapping
from contextlib import suppress
from time import monotonic

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from infadapter_server.executors.process import ProcessExecutor
from infadapter_server.serving.layout import Found, Unfit
from infadapter_server.serving.measurements import Measurements
from infadapter_server.serving.model_config import ModelConfig
from infadapter_server.serving.refusal import Unserved
from infadapter_server.serving.repository import NotServed, Repository, State
from infadapter_server.serving.standing import LONGEST_RETRY_S, Standing
from infadapter_server.serving.tickets import Ticket
from tests.deep import DEEP
from tests.model_variants.executor_rig import computes
from tests.model_variants.fake_models import HANGS_LOADING, prepare, stored
from tests.model_variants.test_lost_and_back import driven, restarting, until
from tests.model_variants.test_residence import House, models, virtual
from tests.model_variants.virtual_executor import Kind
from tests.model_variants.virtual_time import run_virtually
from tests.patience import PATIENCE_S

HANGS, KILLS = Kind(load_s=1e6), Kind(kills=True)


def loads_of(house: House, name: str) -> int:
    return sum(executor.loads[name] for executor in house.executors)


async def come_back(house: House) -> None:
    """As a child does a moment after it was ended."""
    await asyncio.sleep(0.2)
    for executor in house.executors:
        if executor._lost:
            executor.come_back()
    await asyncio.sleep(2)


@virtual
async def test_who_waits_for_a_load_that_hangs_is_refused_and_nothing_more_is_sent_there() -> None:
    house = House(models(3), returns=True)
    await house.ready()
    house.kinds["m2"] = HANGS
    asked = house.ask("m2", within_s=9.0)
    other = house.ask("m0", within_s=60.0)
    with pytest.raises(Unserved):
        await asked.answer
    with pytest.raises(Unserved, match="executor_left"):
        await other.answer
    assert (house.driver.ready, house.driver.live) == (False, True)
    with pytest.raises(
        NotServed, match=r"m2 can't be served: The load of m2 has not ended after 1\d s"
    ) as refused:
        house.ask("m2")
    assert refused.value.status == 503
    assert "look at its file's disk" in house.repository.index()[2]["reason"]


@virtual
async def test_a_child_whose_load_hangs_is_ended_comes_back_and_serves_the_others() -> None:
    house = House(models(3), returns=True)
    await house.ready()
    house.kinds["m2"] = HANGS
    house.ask("m2", within_s=9.0).answer.add_done_callback(asyncio.Future.exception)
    await asyncio.sleep(66)
    assert house.executor._lost
    await come_back(house)
    assert house.driver.ready
    await house.ask("m0").answer
    assert house.states()["m2"] == State.UNAVAILABLE


@virtual
async def test_a_load_that_hangs_is_tried_again_after_a_back_off_that_doubles() -> None:
    house = House(models(3), returns=True)
    await house.ready()
    house.kinds["m2"] = HANGS
    before, tries_s = loads_of(house, "m2"), []
    for _ in range(1500):
        await asyncio.sleep(1)
        for executor in house.executors:
            if executor._lost:
                executor.come_back()
        try:
            house.ask("m2", within_s=9.0).answer.add_done_callback(asyncio.Future.exception)
        except (NotServed, Unserved):
            continue
        if loads_of(house, "m2") > before:
            before = loads_of(house, "m2")
            tries_s.append(asyncio.get_running_loop().time())
    assert 4 <= len(tries_s) <= 7
    for number, gap_s in enumerate(np.diff(tries_s)):
        assert gap_s >= 60 + 30 * 2**number
    house.kinds["m2"] = Kind()
    await asyncio.sleep(700)
    await house.ask("m2").answer
    house.kinds["m2"] = HANGS
    await house.wishes.unload("m2")
    with pytest.raises(NotServed, match="The load of m2 has not ended"):
        await house.wishes.load("m2")
    assert house.repository.standing("m2").hangs == 1  # one that ended has made up for the others


def test_a_model_that_hangs_for_weeks_rests_for_the_longest_time() -> None:
    """Doubled a thousand times, the seconds were no float any more."""
    standing = Standing(hangs=1024)
    assert standing.hung("its disk is gone", 0.0).retry_s == LONGEST_RETRY_S


@virtual
async def test_what_hangs_on_one_executor_is_not_loaded_on_the_next_though_it_is_pinned() -> None:
    house = House(models(3), pinned=("m2",), executors=3, returns=True)
    await house.ready()
    house.kinds["m2"] = HANGS
    for executor in house.executors:
        if "m2" in executor.held:
            executor.lose()
    await asyncio.sleep(20)
    assert house.driver.ready
    assert sum(lane.joined for lane in house.driver._conductor.crew) >= 1
    await asyncio.gather(*(house.ask(name).answer for name in ("m0", "m1")))


@virtual
async def test_a_load_that_ends_after_all_serves_again() -> None:
    house = House(models(3), returns=True)
    await house.ready()
    house.kinds["m2"] = Kind(load_s=30.0)
    house.ask("m2", within_s=9.0).answer.add_done_callback(asyncio.Future.exception)
    await asyncio.sleep(20)
    assert not house.driver.ready
    await asyncio.sleep(12)
    assert house.driver.ready
    assert "m2" in house.held()
    await house.ask("m2", within_s=0.1).answer


@virtual
async def test_a_thread_whose_load_hangs_makes_the_pod_neither_ready_nor_live() -> None:
    house = House(models(2) | {"bad": HANGS}, room=None)
    await asyncio.sleep(60)
    assert (house.driver.ready, house.driver.live) == (False, True)
    await asyncio.sleep(30)
    assert (house.driver.ready, house.driver.live) == (False, False)
    assert house.states()["bad"] == State.LOADING
    house.driver.measure()
    exposed = house.metrics.exposition().decode()
    assert 'infadapter_server_stuck_executors{variant="many"} 1.0' in exposed


@virtual
async def test_at_the_start_the_others_are_served_once_the_child_is_back() -> None:
    for room in (2, None):
        house = House({"bad": HANGS} | models(2), room=room, returns=True)
        await asyncio.sleep(90)
        await come_back(house)
        await house.ready()
        assert house.held() == {"m0", "m1"}
        await house.ask("m1").answer
        with pytest.raises(NotServed, match="The load of bad has"):
            house.ask("bad")


@virtual
async def test_a_model_whose_load_ends_executors_rests_and_the_others_are_served() -> None:
    """As one that the kernel kills for its memory, each time anew."""
    for room in (2, None):
        house = House({"bad": KILLS} | models(2), room=room, executors=2, returns=True)
        coming_back = asyncio.ensure_future(returning(house))
        await house.ready()
        assert loads_of(house, "bad") == 2
        assert house.held() == {"m0", "m1"}
        await house.ask("m1").answer
        said = "The load of bad has ended its executor 2 times in a row: executor-. was lost."
        with pytest.raises(NotServed, match=said):
            house.ask("bad")
        with pytest.raises(NotServed, match="3 times in a row"):
            await house.wishes.load("bad")
        house.kinds["bad"] = Kind()
        await house.wishes.load("bad")
        await house.ask("bad").answer
        coming_back.cancel()


@virtual
async def test_an_executor_that_is_lost_in_a_load_by_accident_costs_the_model_nothing() -> None:
    house = House(models(3), returns=True)
    await house.ready()
    for _ in range(3):
        house.kinds["m2"] = KILLS
        house.ask("m2", within_s=9.0).answer.add_done_callback(asyncio.Future.exception)
        await asyncio.sleep(1)
        house.kinds["m2"] = Kind()
        await come_back(house)
        await house.ask("m2").answer
        await house.wishes.unload("m2")


@virtual
async def test_where_no_load_ends_the_server_does_and_says_why() -> None:
    house = House({"bad": HANGS}, returns=True)
    await asyncio.sleep(90)
    house.executor.come_back()
    await house.driver.ended()
    assert "The load of bad has not ended" in str(house.driver.failure)


@virtual
async def test_a_pod_whose_only_model_rests_is_not_ready_until_it_is_over() -> None:
    house = House(models(1), returns=True)
    await house.ready()
    house.executor.lose()
    house.kinds["m0"] = HANGS
    house.executor.come_back()
    await asyncio.sleep(66)
    house.kinds["m0"] = Kind()
    await come_back(house)
    assert (house.driver.ready, house.driver.live) == (False, True)
    with pytest.raises(NotServed, match="The load of m0 has"):
        house.ask("m0")
    await asyncio.sleep(30)
    assert house.driver.ready
    await house.ask("m0").answer


def found(name: str, variant: str) -> Found:
    config = ModelConfig(signature=stored().signature, batch_sizes=(1, 2))
    return Found(stored=stored(name, variant), config=config, file_bytes=8, stamp="1")


async def test_a_real_child_whose_load_hangs_is_ended_and_serves_the_rest_when_it_is_back(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def patience(seconds: float) -> None:
        for of_loads in ("LOAD_SUSPECT_S", "LOAD_STUCK_S"):
            monkeypatch.setattr(f"infadapter_server.serving.lanes.{of_loads}", seconds)

    async def end_the_first_that_hangs() -> None:
        """And no load beside it, however slow this machine is."""
        await until(lambda: child.pid is not None and computes(child.pid))
        first = child.pid
        patience(0.3)
        await until(lambda: child.pid != first)
        patience(PATIENCE_S)

    monkeypatch.setattr("infadapter_server.serving.lanes.OVERDUE", 0.3)
    patience(PATIENCE_S)

    def read() -> Mapping[str, Found | Unfit]:
        return {"doubler": found("doubler", "scripted"), "hangs": found("hangs", HANGS_LOADING)}

    repository = Repository(read, Measurements(None))
    child = ProcessExecutor("child", prepare, slot_bytes=4096)
    ending = asyncio.create_task(end_the_first_that_hangs())
    async with driven(restarting([child]), repository) as asked:
        await ending
        assert asked.metric("executors_lost_total") == 1
        assert asked.driver.ready
        assert await asked.fate() == "answered"
        with pytest.raises(NotServed, match="The load of hangs has not ended"):
            repository.resolve("hangs", None, monotonic())


BECOMES = {"hang": HANGS, "kill": KILLS, "heal": Kind()}
STEPS = st.lists(
    st.one_of(
        st.tuples(st.just("ask"), st.integers(0, 3), st.sampled_from((0.2, 9.0))),
        st.tuples(st.sampled_from(("load", "unload")), st.integers(0, 3), st.just(0.0)),
        st.tuples(
            st.sampled_from(("hang", "kill", "heal", "replace")), st.integers(0, 3), st.just(0.0)
        ),
        st.tuples(st.just("wait"), st.just(0), st.sampled_from((0.05, 5.0, 40.0))),
    ),
    max_size=25,
)


async def returning(house: House) -> None:
    while True:
        await asyncio.sleep(0.3)
        for executor in house.executors:
            if executor._lost:
                executor.come_back()


async def healed(house: House) -> None:
    """Loads end again: a while later everything is as if they had never hung."""
    house.kinds.update(models(4))
    await asyncio.sleep(1000)
    assert house.driver.ready
    assert not house.repository.resting()
    for name in house.kinds:
        await house.ask(name, within_s=9.0).answer
    assert house.driver.unanswered == 0
    assert not any(executor.missing for executor in house.executors)
    assert {n for n, state in house.states().items() if state == State.READY} == house.held()
    assert not {State.LOADING, State.UNLOADING} & set(house.states().values())


async def raced(steps: list[tuple[str, int, float]], room: int | None) -> None:
    house = House(models(4), room=room, executors=2, returns=True)
    coming_back = asyncio.ensure_future(returning(house))
    await house.ready()
    wishes: list[asyncio.Task[None]] = []
    asked: list[Ticket] = []
    for kind, which, amount in steps:
        name = f"m{which}"
        if kind == "ask":
            with suppress(Unserved, NotServed):
                asked.append(house.ask(name, amount))
        elif kind == "wait":
            await asyncio.sleep(amount)
        elif kind == "replace":
            house.files[name] += 1
            house.rescan()
        elif kind in BECOMES:
            house.kinds[name] = BECOMES[kind]
        else:
            wish = house.wishes.load if kind == "load" else house.wishes.unload
            wishes.append(asyncio.ensure_future(wish(name)))
            await asyncio.sleep(0)
    await asyncio.gather(*(t.answer for t in asked), *wishes, return_exceptions=True)
    await healed(house)
    coming_back.cancel()


@pytest.mark.timeout(3600 if DEEP else 300)
@settings(max_examples=2000 if DEEP else 12, deadline=None, derandomize=not DEEP)
@given(steps=STEPS, room=st.sampled_from((1, 2, None)))
def test_whatever_hangs_meanwhile_all_are_served_once_loads_end_again(
    steps: list[tuple[str, int, float]], room: int | None
) -> None:
    run_virtually(raced(steps, room))
