"""A server's front takes its part of the executor's core, and nothing of it is lost."""

import pytest

from infadapter_scheduler import Arrival, Front, Model, Scheduler, World, replay

MODEL = Model("m", {1: 0.010})


def ends_ms(front: Front, *arrivals_ms: float) -> list[float]:
    asked = [Arrival(at_ms / 1000, "m", 1.0) for at_ms in arrivals_ms]
    fates = replay(Scheduler([MODEL]), asked, World({"m": MODEL}, front=front))
    return [1000 * fate.end_s for fate in fates]


def test_an_execution_is_longer_by_the_answers_and_refusals_of_its_time() -> None:
    assert ends_ms(Front(), 0, 4, 30) == pytest.approx([10, 20, 40])
    # The second comes during the first; each is admitted by what its own arrival costs.
    assert ends_ms(Front(answer_s=0.001), 0, 4, 30) == pytest.approx([12, 22, 41])


def test_who_is_refused_costs_those_who_are_served() -> None:
    asked = [Arrival(0.0, "m", 1.0), *(Arrival(0.001 * n, "m", 0.005) for n in range(1, 6))]
    world = World({"m": MODEL}, front=Front(refusal_s=0.002))
    first, *others = replay(Scheduler([MODEL]), asked, world)
    assert {fate.outcome for fate in others} == {"refused"}
    assert first.end_s == pytest.approx(0.010 + 5 * 0.002)


def test_what_is_owed_at_the_end_of_an_execution_is_owed_once() -> None:
    """A front that takes half of the core makes everything take twice as long, not more."""
    ends = ends_ms(Front(answer_s=0.010), *range(0, 200, 20))
    assert ends[-1] <= 200 + 20
