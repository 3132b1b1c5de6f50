"""Who is in memory, when people, requests and files pull at it at once: in virtual time."""

import asyncio
import os
from collections.abc import Callable, Mapping
from contextlib import suppress
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

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
from tests.model_variants.virtual_executor import Kind, VirtualExecutor
from tests.model_variants.virtual_time import run_virtually

DEEP = os.environ.get("HYPOTHESIS_PROFILE") == "deep"
MIB = 2**20
SIGNATURE = Signature(input_shape=(1,), output_shape=(1,))
ROW = np.zeros((1, 1), np.float32)


class House:
    """A driver of models of one MiB each, for the memory of `room`."""

    def __init__(
        self, kinds: dict[str, Kind], room: float | None = 2, pinned: tuple[str, ...] = ()
    ) -> None:
        self.kinds, self.pinned, self.files = kinds, pinned, dict.fromkeys(kinds, 1)
        memory = None if room is None else int(room * MIB)
        self.repository = Repository(self.read, Measurements(None), memory_bytes=memory)
        self.executor = VirtualExecutor("executor", kinds)
        loop = asyncio.get_running_loop()
        self.driver = Driver(
            self.repository, [self.executor], ServerMetrics("many"), clock=loop.time
        )
        self.driver.start()

    @property
    def residence(self) -> Any:
        return self.driver.residence

    def read(self) -> Mapping[str, Found | Unfit]:
        return {name: self._found(name, version) for name, version in self.files.items()}

    def rescan(self) -> None:
        self.residence.changed(self.repository.take(self.read()))

    def ask(self, model: str, within_s: float = 5.0, images: int = 1) -> Ticket:
        now_s = asyncio.get_running_loop().time()
        self.repository.resolve(model, None, now_s)
        return self.driver.ask(model, now_s, within_s, lambda: np.zeros((images, 1), np.float32))

    def held(self) -> set[str]:
        return set(self.executor.held)

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
        await house.residence.unload("m3")


@virtual
async def test_an_unload_waits_for_what_was_accepted() -> None:
    house = House(models(2, image_s=0.1))
    await house.ready()
    asked = [house.ask("m0", within_s=9.0) for _ in range(10)]
    await asyncio.sleep(0.05)
    unload = asyncio.ensure_future(house.residence.unload("m0"))
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
    unload = asyncio.ensure_future(house.residence.unload("m0"))
    await asyncio.sleep(0.01)
    await house.residence.load("m0")
    await unload
    await asked.answer
    assert "m0" in house.held()
    assert house.states()["m0"] == State.READY


@virtual
async def test_a_load_waits_until_it_is_there_and_says_why_it_is_not() -> None:
    kinds = models(3) | {"bad": Kind(fault="The model is damaged.")}
    house = House(kinds)
    await house.ready()
    await house.residence.load("m2")
    assert "m2" in house.held()
    with pytest.raises(NotServed, match="bad can't be served: The model is damaged") as refused:
        await house.residence.load("bad")
    assert refused.value.status == 503


@virtual
async def test_a_load_for_which_no_room_comes_is_given_up() -> None:
    house = House(models(3), pinned=("m0", "m1"))
    await house.ready()
    with pytest.raises(NotServed, match="m2 is still UNAVAILABLE") as refused:
        await house.residence.load("m2")
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
    await house.residence.load("m0")
    assert house.executor.held["m0"].version == "2"
    await asyncio.sleep(5)
    await house.residence.unload("m0")
    await house.residence.load("m0")
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
            wish = house.residence.load if kind == "load" else house.residence.unload
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


@pytest.mark.timeout(3600 if DEEP else 120)
@settings(max_examples=20_000 if DEEP else 150, deadline=None, derandomize=not DEEP)
@given(steps=STEPS, room=st.integers(1, 4), image_s=st.sampled_from((0.002, 0.02)))
def test_accepted_is_answered_whoever_loads_unloads_and_replaces_meanwhile(
    steps: list[tuple[str, int, float]], room: int, image_s: float
) -> None:
    run_virtually(raced(steps, room, image_s))
