"""Who is refused alike is not decided about again, and nothing else comes of it."""

from collections import Counter
from itertools import accumulate
from random import Random

import pytest

from infadapter_scheduler import (
    Action,
    Arrival,
    Arrived,
    ExecutorJoined,
    Finished,
    Model,
    Refuse,
    Run,
    Scheduler,
    World,
    alike,
    replay,
)
from infadapter_scheduler.deviation import lognormal
from infadapter_scheduler.intake import Intake

TABLE = {1: 0.008, 2: 0.011, 4: 0.013, 8: 0.024}
SLO_S, CAPACITY_RPS = 0.25, 8 / TABLE[8]


class Full:
    """A scheduler that can serve nobody more for a moment, and what it decided about."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, *names: str) -> None:
        self.decided = 0
        decide = Intake.decide

        def counted(*given: object) -> object:
            self.decided += 1
            return decide(*given)  # type: ignore[arg-type]

        monkeypatch.setattr(Intake, "decide", counted)
        self.names, self.numbers = names or ("m",), iter(range(10**6))
        self.kernel = Scheduler([Model(name, TABLE) for name in self.names])
        self.runs = self._runs(
            self.kernel.handle(ExecutorJoined("e", None, self.names, shared_load=True), 0.0)
        )
        while not isinstance(self.ask(0.0), Refuse):
            pass
        self.decided = 0

    def ask(self, now_s: float, within_s: float = SLO_S, model: str = "m") -> Action | None:
        """Its refusal, if that is what it gets."""
        number = next(self.numbers)
        actions = self.kernel.handle(Arrived(number, model, now_s + within_s), now_s)
        self.runs += self._runs(actions)
        refused = (action for action in actions if isinstance(action, Refuse))
        return next((action for action in refused if action.request == number), None)

    def finish(self, now_s: float) -> None:
        run = self.runs.pop(0)
        self.runs += self._runs(self.kernel.handle(Finished("e", run.run, 0.0, now_s), now_s))

    @staticmethod
    def _runs(actions: list[Action]) -> list[Run]:
        return [action for action in actions if isinstance(action, Run)]


@pytest.fixture
def full(monkeypatch: pytest.MonkeyPatch) -> Full:
    return Full(monkeypatch)


def test_who_comes_right_after_a_refusal_is_refused_without_a_decision(full: Full) -> None:
    refusals = [full.ask(number * 1e-6) for number in range(1000)]
    assert all(isinstance(refusal, Refuse) for refusal in refusals)
    assert full.decided == 0


def test_it_is_decided_anew_after_a_while(full: Full) -> None:
    full.ask(2 * alike.LONGEST_S, SLO_S - 2 * alike.LONGEST_S)
    assert full.decided == 1


def test_it_is_decided_anew_once_something_has_happened(full: Full) -> None:
    full.finish(TABLE[1] / 2)
    assert full.ask(TABLE[1] / 2) is None, "it is faster than was expected"


def test_who_has_the_time_that_others_lacked_is_served(full: Full) -> None:
    refusal = full.ask(0.0)
    assert isinstance(refusal, Refuse)
    assert full.ask(0.0, SLO_S + alike.STANDS_FOR * refusal.retry_after_s)
    assert full.decided == 0
    assert full.ask(0.0, SLO_S + refusal.retry_after_s + 0.001) is None


def test_who_has_less_time_is_decided_about(full: Full) -> None:
    full.ask(0.0, SLO_S / 2)
    assert full.decided == 1


def test_models_are_refused_each_for_itself(monkeypatch: pytest.MonkeyPatch) -> None:
    full = Full(monkeypatch, "m", "n")
    for _ in range(3):
        full.ask(0.0, model="n")
    assert full.decided == 1


def test_rates_are_told_of_all(monkeypatch: pytest.MonkeyPatch) -> None:
    found = []
    for longest_s in (alike.LONGEST_S, -1.0):
        monkeypatch.setattr(alike, "LONGEST_S", longest_s)
        full = Full(monkeypatch)
        for number in range(200):
            full.ask(number * 1e-5)
        full.finish(0.002)
        state = full.kernel.state
        entry = state.models["m"]
        rates = entry.arrivals, entry.unmet, state.pressure.offered, state.pressure.refused
        found.append([rate.rate(0.002) for rate in rates] + [state.pressure.load])
    assert found[0] == pytest.approx(found[1], rel=0.01)


@pytest.mark.parametrize("models", [1, 8])
@pytest.mark.parametrize("load", [1.2, 2.0, 5.0])
def test_as_many_are_on_time_as_where_each_is_decided_about(
    monkeypatch: pytest.MonkeyPatch, load: float, models: int
) -> None:
    names = [f"m{number}" for number in range(models)]
    world = World(
        {name: Model(name, TABLE) for name in names},
        lag_s=0.001,
        deviation=lognormal(0.05),
        seed=3,
    )
    draw, rate_rps = Random(1), load * CAPACITY_RPS
    gaps_s = (draw.expovariate(rate_rps) for _ in range(int(4 * rate_rps)))
    arrivals = [
        Arrival(arrival_s, names[draw.randrange(models)], SLO_S) for arrival_s in accumulate(gaps_s)
    ]
    found = []
    for longest_s in (alike.LONGEST_S, -1.0):
        monkeypatch.setattr(alike, "LONGEST_S", longest_s)
        scheduler = Scheduler(world.models.values(), lag_s=world.lag_s, trials=True)
        found.append(Counter(fate.outcome for fate in replay(scheduler, arrivals, world)))
    assert set(found[0]) <= {"on_time", "refused"}
    assert found[0]["on_time"] == pytest.approx(found[1]["on_time"], rel=0.01)
