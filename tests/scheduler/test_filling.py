"""A batch that runs takes along others of its model, and nobody is late for that."""

from hypothesis import given
from hypothesis import strategies as st

from infadapter_scheduler import Model
from infadapter_scheduler.batch import Batch, Request
from infadapter_scheduler.buffer import SafetyBuffer
from infadapter_scheduler.catalogue import entry_of
from infadapter_scheduler.executor import Executor
from infadapter_scheduler.filling import fill
from infadapter_scheduler.model import Costs
from infadapter_scheduler.residency import PageCache
from infadapter_scheduler.state import State

TIMES = {1: 3.0, 2: 4.0, 4: 6.0, 8: 10.0}

COSTS = Costs(Model("m", TIMES))

Planned = list[tuple[str, list[int]]]
"""Models, and when the members of a batch are due."""


class Plan:
    """The first batch runs now, the others are planned behind it."""

    def __init__(self, planned: Planned) -> None:
        self.state = State(
            {name: entry_of(Model(name, TIMES)) for name in "ab"}, SafetyBuffer(), 0.0
        )
        self.executor = Executor("e", PageCache(None), 0.0)
        self.first, *others = [self.made(at, *each) for at, each in enumerate(planned)]
        for batch in others:
            self.executor.plan.insert(batch)
            self.state.models[batch.model].open.append(batch)

    def made(self, place: int, model: str, dues_s: list[int]) -> Batch:
        costs = self.state.models[model].costs
        batch = Batch(costs, "e", 8, key_s=float(place))
        self.executor.cache.pin(model)
        batch.become([Request(0, model, due, due, batch) for due in sorted(dues_s)])
        return batch

    def fill(self) -> None:
        fill(self.state, self.first, self.executor, 0.0)

    @property
    def sizes(self) -> list[int]:
        return [len(self.first.members), *(len(batch.members) for batch in self.executor.plan)]

    @property
    def in_time(self) -> bool:
        ends_s = self.first.costs.split_s[len(self.first.members)]
        return self.first.latest_start_s(self.first.members) >= 0 and (
            self.executor.plan.headroom_s() >= ends_s - 1e-9
        )


def test_who_waits_for_the_same_model_fills_a_batch_that_runs() -> None:
    plan = Plan([("a", [20] * 3), ("a", [100] * 2), ("b", [100] * 2), ("a", [200] * 4)])
    plan.fill()
    assert plan.sizes == [8, 2, 1]
    assert all(member.batch is plan.first for member in plan.first.members)


def test_a_batch_takes_only_as_many_as_the_next_ones_can_wait_for() -> None:
    plan = Plan([("a", [20] * 3), ("b", [11] * 2), ("a", [200] * 5)])
    plan.fill()
    assert plan.sizes == [4, 2, 4]
    assert plan.in_time


def test_a_batch_takes_nobody_along_whose_rest_would_take_longer() -> None:
    plan = Plan([("a", [20] * 7), ("a", [200] * 4)])  # three take 7 s, four take 6
    plan.fill()
    assert plan.sizes == [7, 4]


spare = st.lists(st.integers(0, 30), min_size=1, max_size=8)


@given(st.lists(st.tuples(st.sampled_from("ab"), spare), min_size=2, max_size=6))
def test_nobody_is_late_or_lost_for_a_batch_that_was_filled(spared: Planned) -> None:
    end_s, planned = 0, Planned()
    for model, spare_s in spared:
        end_s += int(COSTS.split_s[len(spare_s)])
        planned.append((model, [end_s + each_s for each_s in spare_s]))
    plan = Plan(planned)
    assert plan.in_time
    before = plan.sizes
    plan.fill()
    assert plan.in_time
    assert sum(plan.sizes) == sum(before)
    assert len(plan.first.members) in {before[0], *TIMES}
