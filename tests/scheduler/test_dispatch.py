"""Which batch of a plan goes first, where several may."""

from infadapter_scheduler import Model
from infadapter_scheduler.batch import Batch, Request
from infadapter_scheduler.dispatch import next_batch
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
