"""A server in virtual time whose estimates are wrong doesn't refuse for ever what it can serve."""

import asyncio

import pytest

from infadapter_scheduler.trial import LONGEST_S
from infadapter_server.serving.refusal import Unserved
from tests.model_variants.test_residence import House, virtual
from tests.model_variants.virtual_executor import Kind

SLO_S, GAP_S = 0.3, 0.22


async def asked(house: House, seconds: float, images: int = 1) -> list[str]:
    """At 4.5 requests a second, what becomes of each."""
    loop, fates = asyncio.get_running_loop(), []
    end_s = loop.time() + seconds
    while loop.time() < end_s:
        next_s = loop.time() + GAP_S
        try:
            ticket = house.ask("m0", SLO_S, images)
            await ticket.answer
            house.driver.answered(ticket)
            fates.append("served")
        except Unserved as error:
            fates.append("late" if error.accepted else "refused")
        await asyncio.sleep(max(0.0, next_s - loop.time()))
    return fates


def outcome(house: House, kind: str) -> float:
    text = house.metrics.exposition().decode()
    labels = f'infadapter_server_outcomes_total{{outcome="{kind}",variant="many"}} '
    return next(float(line.removeprefix(labels)) for line in text.splitlines() if labels in line)


@pytest.mark.parametrize("images", [1, 3])
def test_after_a_warm_up_that_was_disturbed_it_serves_within_a_second(images: int) -> None:
    async def test() -> None:
        house = House({"m0": Kind(image_s=2.0)}, room=None)
        await house.ready()
        house.kinds["m0"] = Kind(image_s=0.01)
        assert await asked(house, 10.0, images) == ["refused"] * 5 + ["served"] * 41

    virtual(test)()


@virtual
async def test_after_minutes_of_a_slow_machine_it_serves_within_the_longest_wait() -> None:
    """While it is slow few are accepted, ever more seldom, and counted as what became of them."""
    house = House({"m0": Kind(image_s=0.01)}, room=None)
    await house.ready()
    house.kinds["m0"] = Kind(image_s=2.0)
    for _ in range(40):
        await house.ask("m0", 9.0).answer
    slow = await asked(house, 300.0)
    assert set(slow) == {"late", "refused"}
    assert outcome(house, "late") <= 300 / LONGEST_S + 5
    assert outcome(house, "late") + outcome(house, "cancelled") == slow.count("late") <= 20
    house.kinds["m0"] = Kind(image_s=0.01)
    await asked(house, LONGEST_S + 6.0)
    assert set(await asked(house, 60.0)) == {"served"}
