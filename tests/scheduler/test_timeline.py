"""The plan of an executor answers as a list would, whatever its length."""

import random
from itertools import accumulate
from math import inf

import pytest

from infadapter_scheduler import Model
from infadapter_scheduler.batch import Batch
from infadapter_scheduler.model import Costs
from infadapter_scheduler.timeline import Timeline

COSTS = Costs(Model("m", {1: 0.001}))


def made(draw: random.Random) -> Batch:
    batch = Batch(COSTS, "e", 1, key_s=round(draw.uniform(0, 50)))
    batch.limit_s, batch.work_s = batch.key_s + draw.uniform(-5, 5), draw.uniform(0, 1)
    return batch


def test_places_and_headrooms_are_those_of_a_plain_list() -> None:
    draw, plan, plain = random.Random(3), Timeline(), list[Batch]()
    for step in range(3000):
        kind = draw.random()
        if kind < 0.55 or not plain:
            batch = made(draw)
            plain.insert(sum(b.key_s <= batch.key_s for b in plain), batch)
            plan.insert(batch)
        elif kind < 0.8 and step < 2500:
            batch = draw.choice(plain)
            batch.work_s = draw.uniform(0, 1)
            plan.changed(batch)
        else:
            batch = draw.choice(plain)
            plain.remove(batch)
            plan.remove(batch)
        assert list(plan) == plain if step % 100 == 0 else True
        assert plan.first() is (plain[0] if plain else None)
        check(plan, plain, draw)


def check(plan: Timeline, plain: list[Batch], draw: random.Random) -> None:
    key_s = draw.uniform(0, 50)
    at = sum(batch.key_s <= key_s for batch in plain)
    same(plan.place(key_s), plain, at, at)
    if plain:
        at = draw.randrange(len(plain))
        same(plan.place_of(plain[at]), plain, at, at + 1)
        assert plan.before_s(plain[at]) == pytest.approx(plan.place_of(plain[at]).before_s)


def test_headroom_between_a_key_and_a_batch_is_that_of_a_plain_list() -> None:
    draw, plan, plain = random.Random(4), Timeline(), list[Batch]()
    for _ in range(600):
        batch = made(draw)
        plain.insert(sum(b.key_s <= batch.key_s for b in plain), batch)
        plan.insert(batch)
        at = draw.randrange(len(plain))
        key_s = draw.uniform(-1, plain[at].key_s - 0.01)
        before = sum(b.key_s <= key_s for b in plain)
        # Headrooms in a plan that ends before the batch are those between the key and it.
        sums = list(accumulate(b.work_s for b in plain[:at]))
        expected = min(
            (b.limit_s - sums[i] for i, b in enumerate(plain[:at]) if i >= before), default=inf
        )
        found = plan.between_s(key_s, plain[at])
        assert found == expected or abs(found - expected) < 1e-6


def same(place: tuple[float, float], plain: list[Batch], at: int, behind: int) -> None:
    sums = [0.0]
    for batch in plain:
        sums.append(sums[-1] + batch.work_s)
    headroom = min(
        (b.limit_s - sums[i + 1] for i, b in enumerate(plain) if i >= behind), default=float("inf")
    )
    assert abs(place[0] - sums[at]) < 1e-6
    assert place[1] == headroom or abs(place[1] - headroom) < 1e-6
