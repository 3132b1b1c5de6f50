"""Ten minutes in which no image can be pulled, while the load outgrows what runs."""

import numpy as np

from benchmarks.always_arrive.playing import AS_PLANNED, played
from benchmarks.always_arrive.states import registry_down

DOWN_UNTIL_S = 660.0


def test_pods_are_tried_once_a_minute_at_most_and_come_when_it_is_up_again() -> None:
    arrived = played(registry_down())
    starts_s = np.array(arrived.starts_s)
    moments_s = np.unique(starts_s[starts_s < DOWN_UNTIL_S])
    assert 3 <= np.sum(starts_s < DOWN_UNTIL_S) <= 10
    assert np.all(np.diff(moments_s) >= 59.0)
    assert starts_s[starts_s >= DOWN_UNTIL_S].min() < DOWN_UNTIL_S + 120.0
    assert arrived.end == AS_PLANNED
