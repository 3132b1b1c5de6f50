"""Which batch of a plan goes first, where several may."""

from infadapter_scheduler import Model
from infadapter_scheduler.batch import Batch, Request
from infadapter_scheduler.dispatch import drop_for_others, next_batch
from infadapter_scheduler.executor import Executor
from infadapter_scheduler.model import Costs
from infadapter_scheduler.residency import PageCache

TIMES = {1: 0.00273, 2: 0.00405, 4: 0.00587, 8: 0.00993, 16: 0.0173}


def executor_with(*members: int) -> tuple[Executor, list[Batch]]:
    """Batches of so many, each due later than the one before, all with time to spare."""
    executor, made = Executor("e", PageCache(None), 0.0), list[Batch]()
    for number, size in enumerate(members):
        costs = Costs(Model(f"m{number}", TIMES))
        due_s = 1.0 + 0.001 * number
        batch = Batch(costs, "e", 16, key_s=due_s)
        batch.become([Request(n, f"m{number}", due_s, due_s, batch) for n in range(size)])
        executor.plan.insert(batch)
        made.append(batch)
    return executor, made


def test_in_overload_a_batch_that_is_nearly_full_is_not_split_while_another_is_as_good() -> None:
    executor, (nearly_full, half) = executor_with(15, 8)
    assert next_batch(executor, 0.0, overloaded=True) is half
    assert next_batch(executor, 0.0) is nearly_full  # earliest deadline first


def test_a_fuller_batch_goes_first_whatever_it_leaves() -> None:
    executor, (_, more) = executor_with(4, 9)
    assert next_batch(executor, 0.0, overloaded=True) is more
    assert next_batch(executor, 0.0) is more


def test_a_full_batch_goes_first() -> None:
    executor, (_, _, full) = executor_with(15, 8, 16)
    assert next_batch(executor, 0.0, overloaded=True) is full


def waiting(*dues_s: float) -> Batch:
    batch = Batch(Costs(Model("m", TIMES)), "e", 16, key_s=dues_s[0])
    batch.become([Request(n, "m", due_s, due_s, batch) for n, due_s in enumerate(dues_s)])
    return batch


def test_after_a_stall_who_needs_a_small_batch_is_given_up_for_the_next_one() -> None:
    behind = waiting(*[0.012] * 8)  # 9.93 ms
    batch = waiting(0.004, 0.004, *[0.012] * 6)
    lost = drop_for_others(batch, behind, 0.0, 0.0)
    assert [member.number for member in lost] == [0, 1], "the others are in time together"
    assert [member.number for member in batch.members] == [2, 3, 4, 5, 6, 7]


def test_after_a_stall_a_small_batch_is_served_where_the_next_one_can_wait_for_it() -> None:
    batch = waiting(0.004, 0.004, *[0.012] * 6)
    assert drop_for_others(batch, waiting(*[0.013] * 8), 0.0, 0.0) == [], "1 takes 2.73 ms"
    assert len(batch.members) == 8


def test_nobody_is_given_up_for_others_who_is_in_time_with_all_of_his_batch() -> None:
    batch = waiting(*[0.010] * 8)
    assert drop_for_others(batch, waiting(0.001), 0.0, 0.0) == []
