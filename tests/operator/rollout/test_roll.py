"""How much a rolling change holds at most, against every order in which a platform may take it."""

import itertools

from hypothesis import given
from hypothesis import strategies as st

from infadapter_operator.rollout.free import most_beyond

SIZES = st.sampled_from([200, 400, 1000, 2000])


def held_at_most(old: tuple[int, ...], new: int, pods: int) -> int:
    """Old pods leave in this order, one at a time, each when one that replaces it is Ready."""
    there, most = list(old), 0
    while there:
        most = max(most, sum(there) + new * (pods + 1 - len(there)))  # one more than there shall be
        leaves = there.pop(0)
        started = min(pods, pods + 1 - len(there))
        most = max(most, leaves + sum(there) + new * started)
    return most


@given(old=st.lists(SIZES, min_size=1, max_size=5), new=SIZES, more=st.integers(0, 3))
def test_a_roll_asks_for_what_it_holds_at_most_in_any_order(
    old: list[int], new: int, more: int
) -> None:
    pods = len(old) + more
    orders = set(itertools.permutations(old))
    assert most_beyond(old, new, pods) == max(held_at_most(o, new, pods) for o in orders) - sum(old)
