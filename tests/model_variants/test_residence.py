"""Who is in memory, when people, requests and files pull at it at once: in virtual time."""

import asyncio
from collections.abc import Callable, Mapping
from contextlib import suppress
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from infadapter_server.executors.messages import ExecutorReady, ModelLoaded, Outcome
from infadapter_server.networks.signatures import Signature
from infadapter_server.networks.stored import Format, Stored
from infadapter_server.serving.driver import Driver
from infadapter_server.serving.layout import Found, Unfit
from infadapter_server.serving.measurements import Measurements
from infadapter_server.serving.metrics import ServerMetrics
from infadapter_server.serving.model_config import ModelConfig
from infadapter_server.serving.refusal import InferenceError, Unserved
from infadapter_server.serving.repository import NotServed, Repository, State
from infadapter_server.serving.tickets import Ticket
from infadapter_server.serving.wishes import Wishes
from tests.deep import DEEP
from tests.model_variants.virtual_executor import Kind, VirtualExecutor
from tests.model_variants.virtual_time import run_virtually

MIB = 2**20
SIGNATURE = Signature(input_shape=(1,), output_shape=(1,))
ROW = np.zeros((1, 1), np.float32)


class House:
    """A driver of models of one MiB each, for the memory of `room`."""

    def __init__(
        self,
        kinds: dict[str, Kind],
        room: float | None = 2,
        pinned: tuple[str, ...] = (),
        executors: int = 1,
        returns: bool = False,
        ready: tuple[ExecutorReady, ...] = (),
    ) -> None:
        self.kinds, self.pinned, self.files = kinds, pinned, dict.fromkeys(kinds, 1)
        memory = None if room is None else int(room * MIB)
        self.repository = Repository(self.read, Measurements(None), memory_bytes=memory)
        self.executors = [
            VirtualExecutor(f"executor-{i}", kinds, returns=returns) for i in range(executors)
        ]
        for executor, report in zip(self.executors, ready, strict=False):
            executor.ready = report
        self.executor = self.executors[0]
        loop = asyncio.get_running_loop()
        self.metrics = ServerMetrics("many")
        self.driver = Driver(self.repository, self.executors, self.metrics, clock=loop.time)
        self.driver.start()

    @property
    def wishes(self) -> Wishes:
        return self.driver.residence.wishes

    def read(self) -> Mapping[str, Found | Unfit]:
        return {name: self._found(name, version) for name, version in self.files.items()}

    def rescan(self) -> None:
        self.wishes.changed(self.repository.take(self.read()))

    def ask(self, model: str, within_s: float = 5.0, images: int = 1) -> Ticket:
        now_s = asyncio.get_running_loop().time()
        self.repository.resolve(model, None, now_s)
        return self.driver.ask(model, now_s, within_s, lambda: np.zeros((images, 1), np.float32))

    def held(self) -> set[str]:
        return {name for executor in self.executors for name in executor.held}

    def states(self) -> dict[str, str]:
        return {row["name"]: row["state"] for row in self.repository.index()}

    async def ready(self) -> None:
        while not self.driver.ready:  # noqa: ASYNC110  # virtual time
            await asyncio.sleep(0.01)
        await asyncio.sleep(5)

    def _found(self, name: str, version: int) -> Found:
        stored = Stored(
            name=name,
            version=str(version),
            format=Format.VARIANT,
            signature=SIGNATURE,
            batch_sizes=(1, 2, 4),
        )
        config = ModelConfig(signature=SIGNATURE, batch_sizes=(1, 2, 4), pinned=name in self.pinned)
        return Found(stored=stored, config=config, file_bytes=MIB // 2, stamp=str(version))


def models(number: int, **kind: Any) -> dict[str, Kind]:
    return {f"m{i}": Kind(**kind) for i in range(number)}


def virtual(test: Callable[[], Any]) -> Callable[[], None]:
    def run() -> None:
        run_virtually(test())

    run.__name__, run.__doc__ = test.__name__, test.__doc__
    return run


@virtual
async def test_the_start_measures_each_and_keeps_as_many_as_there_is_room_for() -> None:
    house = House(models(4))
    await house.ready()
    assert house.repository.unmeasured() == ()
    assert house.repository.kernel_model("m3").load_s == pytest.approx(0.05 + 3 * 0.01)
    assert house.held() == {"m0", "m1"}
    assert house.states() == {
        "m0": State.READY,
        "m1": State.READY,
        "m2": State.UNAVAILABLE,
        "m3": State.UNAVAILABLE,
    }
    assert house.executor.most_bytes == 2 * MIB


@virtual
async def test_without_a_bound_all_are_loaded_once_and_stay() -> None:
    house = House(models(3), room=None)
    await house.ready()
    assert (house.held(), house.executor.unloaded) == ({"m0", "m1", "m2"}, [])


@virtual
async def test_who_is_asked_is_loaded_in_place_of_the_least_recently_used() -> None:
    house = House(models(3))
    await house.ready()
    await house.ask("m0").answer
    await house.ask("m2").answer
    assert house.held() == {"m0", "m2"}
    assert house.executor.most_bytes == 2 * MIB


@virtual
async def test_who_can_not_be_loaded_in_time_is_refused_and_loaded_for_the_next_one() -> None:
    house = House(models(3, load_s=0.5))
    await house.ready()
    with pytest.raises(Unserved) as refused:
        house.ask("m2", within_s=0.1)
    assert refused.value.retry_after_s > 0
    await asyncio.sleep(1.5)
    assert "m2" in house.held()
    await house.ask("m2", within_s=0.1).answer


@virtual
async def test_who_is_pinned_stays_whoever_is_asked() -> None:
    house = House(models(4), pinned=("m3",))
    await house.ready()
    for name in ("m0", "m1", "m2", "m0", "m1"):
        await house.ask(name).answer
        assert "m3" in house.held()
    with pytest.raises(NotServed, match="m3 is pinned by its configuration"):
        await house.wishes.unload("m3")


@virtual
async def test_an_unload_waits_for_what_was_accepted() -> None:
    house = House(models(2, image_s=0.1))
    await house.ready()
    asked = [house.ask("m0", within_s=9.0) for _ in range(10)]
    await asyncio.sleep(0.05)
    unload = asyncio.ensure_future(house.wishes.unload("m0"))
    await asyncio.sleep(0.1)
    assert house.states()["m0"] == State.UNLOADING
    assert not unload.done()
    await unload
    assert all(ticket.answer.result().shape == (1, 1) for ticket in asked)
    assert house.states()["m0"] == State.UNAVAILABLE
    assert house.held() == {"m1"}


@virtual
async def test_a_load_takes_an_unload_back_that_is_yet_to_come() -> None:
    house = House(models(2, image_s=0.1))
    await house.ready()
    asked = house.ask("m0", images=4)
    unload = asyncio.ensure_future(house.wishes.unload("m0"))
    await asyncio.sleep(0.01)
    await house.wishes.load("m0")
    await unload
    await asked.answer
    assert "m0" in house.held()
    assert house.states()["m0"] == State.READY


@virtual
async def test_a_load_waits_until_it_is_there_and_says_why_it_is_not() -> None:
    kinds = models(3) | {"bad": Kind(fault="The model is damaged.")}
    house = House(kinds)
    await house.ready()
    await house.wishes.load("m2")
    assert "m2" in house.held()
    with pytest.raises(NotServed, match="bad can't be served: The model is damaged") as refused:
        await house.wishes.load("bad")
    assert refused.value.status == 503


@virtual
async def test_a_load_for_which_no_room_comes_is_given_up() -> None:
    house = House(models(3), pinned=("m0", "m1"))
    await house.ready()
    with pytest.raises(NotServed, match="m2 is still UNAVAILABLE") as refused:
        await house.wishes.load("m2")
    assert (refused.value.status, refused.value.retry_after_s) == (503, 1.0)


@virtual
async def test_a_model_that_does_not_load_leaves_the_others_alone() -> None:
    house = House({"bad": Kind(fault="The model is damaged.")} | models(2))
    await house.ready()
    assert house.driver.ready
    await house.ask("m1").answer
    assert house.repository.index()[0]["reason"] == "The model is damaged."


@virtual
async def test_where_no_model_loads_the_server_ends() -> None:
    house = House({"bad": Kind(fault="The model is damaged.")})
    await house.driver.ended()
    assert str(house.driver.failure) == "The model is damaged."


@virtual
async def test_a_model_that_turns_out_larger_than_the_bound_is_unloaded_and_refused() -> None:
    house = House(models(1) | {"big": Kind(weights_bytes=3 * MIB)})
    await house.ready()
    assert house.held() == {"m0"}
    with pytest.raises(NotServed, match=r"big takes 3\.0 MiB") as refused:
        house.ask("big")
    assert refused.value.status == 507


@virtual
async def test_a_new_version_takes_the_place_of_the_old_one() -> None:
    house = House(models(2))
    await house.ready()
    asked = house.ask("m0")
    house.files["m0"] = 2
    house.rescan()
    await asked.answer
    await house.wishes.load("m0")
    assert house.executor.held["m0"].version == "2"
    await asyncio.sleep(5)
    await house.wishes.unload("m0")
    await house.wishes.load("m0")
    assert house.repository.unmeasured() == ()


@virtual
async def test_a_model_that_comes_is_served_and_one_that_goes_is_unloaded() -> None:
    house = House(models(2))
    await house.ready()
    house.kinds["new"] = Kind()
    house.files = {"m0": 1, "new": 1}
    house.rescan()
    with pytest.raises(NotServed, match="There is no model 'm1' here"):
        house.ask("m1")
    with pytest.raises(Unserved):
        house.ask("new", within_s=0.5)  # nobody knows yet how long it takes
    await asyncio.sleep(5)
    assert house.held() == {"m0", "new"}
    await house.ask("new", within_s=0.5).answer


@virtual
async def test_of_several_executors_one_measures_and_all_are_used() -> None:
    house = House(models(6), executors=3)
    await house.ready()
    loads = [sum(executor.loads.values()) for executor in house.executors]
    assert loads[0] >= 2 * 6
    assert max(loads[1:]) <= 1 + 2
    for name in (*house.kinds, *house.kinds):
        await house.ask(name).answer
    assert all(executor.held for executor in house.executors)
    assert all(executor.most_bytes <= 2 * MIB for executor in house.executors)


@virtual
async def test_who_is_lost_while_it_measures_has_an_heir() -> None:
    house = House(models(4), executors=2)
    await asyncio.sleep(0.3)
    house.executor.lose()
    await house.ready()
    assert house.repository.unmeasured() == ()
    assert house.executor.held != house.executors[1].held
    await house.ask("m3").answer


@virtual
async def test_what_a_lost_executor_held_is_in_memory_no_longer() -> None:
    house = House(models(2))
    await house.ready()
    house.executor.lose()
    await house.driver.ended()
    assert set(house.states().values()) == {State.UNAVAILABLE}


@virtual
async def test_an_executor_that_comes_back_has_its_models_again() -> None:
    for room in (2, None):
        house = House(models(2), room=room, returns=True)
        await house.ready()
        house.executor.lose()
        await asyncio.sleep(0.1)
        assert (house.driver.ready, house.driver.live, house.held()) == (False, True, set())
        with pytest.raises(Unserved, match="no_executor"):
            house.ask("m0")
        house.executor.come_back()
        await asyncio.sleep(2)
        assert house.driver.ready
        assert house.held() == {"m0", "m1"}
        await house.ask("m1", within_s=0.1).answer


@virtual
async def test_what_was_running_is_lost_with_its_executor_and_what_waited_is_served_elsewhere() -> (
    None
):
    house = House(models(1, image_s=0.1), room=None, executors=2, returns=True)
    await house.ready()
    asked = [house.ask("m0", within_s=9.0) for _ in range(20)]
    await asyncio.sleep(0.15)
    house.executor.lose()
    answers = await asyncio.gather(*(t.answer for t in asked), return_exceptions=True)
    lost = [answer for answer in answers if isinstance(answer, Unserved)]
    assert {answer.reason for answer in lost} == {"executor_left"}
    assert 1 <= len(lost) <= 8  # two batches at most were sent there
    assert house.driver.unanswered == 0
    house.executor.come_back()
    await asyncio.sleep(2)
    await asyncio.gather(*(house.ask("m0").answer for _ in range(8)))


@virtual
async def test_one_that_hangs_and_comes_back_by_itself_is_given_up() -> None:
    house = House(models(2), room=None, returns=True)
    await house.ready()
    house.kinds["m0"] = Kind(image_s=1e6)
    asked = house.ask("m0", within_s=9.0)
    with pytest.raises(Unserved, match="executor_left"):
        await asked.answer
    assert (house.driver.ready, house.driver.live) == (False, True)
    house.kinds["m0"] = Kind()
    await asyncio.sleep(12)
    assert house.driver.live  # it was lost, and can't be stuck any more
    house.executor.come_back()
    await asyncio.sleep(2)
    await house.ask("m0", within_s=0.1).answer


@virtual
async def test_who_waits_for_a_load_gets_it_from_an_executor_that_comes_back() -> None:
    house = House(models(3), returns=True)
    await house.ready()
    loading = asyncio.ensure_future(house.wishes.load("m2"))
    await asyncio.sleep(0.01)
    house.executor.lose()
    await asyncio.sleep(3)
    assert not loading.done()
    house.executor.come_back()
    await asyncio.wait_for(loading, 3)
    assert "m2" in house.held()


@virtual
async def test_nobody_is_there_at_first_and_all_begins_with_the_first_that_comes() -> None:
    house = House(models(3), executors=2, returns=True)
    for executor in house.executors:
        executor.lose()
    await asyncio.sleep(60)
    assert (house.driver.loaded, house.driver.ready, house.driver.live) == (False, False, True)
    house.executors[1].come_back()
    await house.ready()
    await house.ask("m2").answer
    house.executors[0].come_back()
    await asyncio.sleep(5)
    assert house.held() == {"m0", "m1", "m2"}
    assert house.executors[0].held


def resident(name: str, version: str, **spent_s: float) -> ModelLoaded:
    seconds = {int(size[1:]): took_s for size, took_s in spent_s.items()}
    return ModelLoaded(name, Outcome.DONE, 0.0, 0.08, MIB, seconds, version=version)


@virtual
async def test_weights_that_are_there_already_serve_at_once_if_they_are_the_right_ones() -> None:
    all_sizes = {"b1": 0.01, "b2": 0.02, "b4": 0.04}
    held = (resident("m0", "1", **all_sizes), resident("m1", "7", **all_sizes))
    house = House(models(2), room=None, ready=(ExecutorReady(resident=held),))
    stored = house.repository.models()
    house.executor.held.update({"m0": stored["m0"], "m1": stored["m1"]})
    await house.ready()
    assert house.executor.loads == {"m1": 1}
    assert house.executor.unloaded == ["m1"]
    await asyncio.gather(*(house.ask(name, within_s=0.2).answer for name in house.kinds))


@virtual
async def test_an_executors_own_bound_holds_beside_the_servers() -> None:
    bounds = (ExecutorReady(memory_bytes=1 * MIB), ExecutorReady(memory_bytes=8 * MIB))
    for room in (3, None):
        house = House(models(6), room=room, executors=2, ready=bounds)
        await house.ready()
        for name in (*house.kinds, *house.kinds):
            await house.ask(name).answer
        first, second = house.executors
        assert first.most_bytes <= 1 * MIB
        assert second.most_bytes <= (3 if room else 8) * MIB


@virtual
async def test_an_executor_says_whether_its_executions_wait_for_its_loads() -> None:
    """While m2 is loaded nobody of m0 would be in time, if m0 had to wait for that."""
    for shared in (True, False):
        ready = (ExecutorReady(shared_load=shared),)
        house = House(models(3, load_s=2.0), returns=True, ready=ready)
        await house.ready()
        await asyncio.sleep(20)
        asked = house.ask("m2")
        await asyncio.sleep(0.1)
        if shared:
            with pytest.raises(Unserved, match="no_time"):
                house.ask("m1", within_s=0.1)
        else:
            house.ask("m1", within_s=0.1)
        await asked.answer


@virtual
async def test_a_model_that_one_executor_lacks_is_served_by_another() -> None:
    good, bad = models(2), {f"m{i}": Kind(fault="There is no such file.") for i in range(2)}
    house = House(good, room=None, executors=2)
    house.executor.kinds = bad
    await house.ready()
    for name in good:
        await house.ask(name).answer
    assert not house.executor.held


STEPS = st.lists(
    st.one_of(
        st.tuples(st.just("ask"), st.integers(0, 3), st.sampled_from((0.03, 0.2, 2.0))),
        st.tuples(st.just("batch"), st.integers(0, 3), st.sampled_from((0.2, 2.0))),
        st.tuples(st.sampled_from(("load", "unload")), st.integers(0, 3), st.just(0.0)),
        st.tuples(st.just("replace"), st.integers(0, 3), st.just(0.0)),
        st.tuples(st.just("wait"), st.just(0), st.sampled_from((0.0, 0.004, 0.05, 0.4))),
    ),
    max_size=40,
)


async def raced(steps: list[tuple[str, int, float]], room: int, image_s: float) -> None:
    house = House(models(4, image_s=image_s), room=room)
    await house.ready()
    asked: list[Ticket] = []
    wishes: list[asyncio.Task[None]] = []
    for kind, which, amount in steps:
        name = f"m{which}"
        if kind in ("ask", "batch"):
            with suppress(Unserved, NotServed):
                asked.append(house.ask(name, amount, images=3 if kind == "batch" else 1))
        elif kind == "replace":
            house.files[name] += 1
            house.rescan()
        elif kind == "wait":
            await asyncio.sleep(amount)
        else:
            wish = house.wishes.load if kind == "load" else house.wishes.unload
            wishes.append(asyncio.ensure_future(wish(name)))
            await asyncio.sleep(0)
    answers = await asyncio.gather(*(ticket.answer for ticket in asked), return_exceptions=True)
    done = await asyncio.gather(*wishes, return_exceptions=True)
    await asyncio.sleep(60)
    assert not house.executor.missing, "asked of a model that was unloaded"
    assert house.executor.most_bytes <= room * MIB
    assert not [a for a in answers if isinstance(a, InferenceError)]
    assert not [wish for wish in done if wish and "was unloaded meanwhile" not in str(wish)]
    ready = {name for name, state in house.states().items() if state == State.READY}
    assert ready == house.held()
    assert not {State.LOADING, State.UNLOADING} & set(house.states().values())
    late = [ticket for ticket in asked if ticket.answer.exception() is not None]
    assert not late or any(kind == "replace" for kind, _, _ in steps)


@pytest.mark.timeout(3600 if DEEP else 300)
@settings(max_examples=20_000 if DEEP else 75, deadline=None, derandomize=not DEEP)
@given(steps=STEPS, room=st.integers(1, 4), image_s=st.sampled_from((0.002, 0.02)))
def test_accepted_is_answered_whoever_loads_unloads_and_replaces_meanwhile(
    steps: list[tuple[str, int, float]], room: int, image_s: float
) -> None:
    run_virtually(raced(steps, room, image_s))
