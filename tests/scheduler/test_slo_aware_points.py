"""ACLO and LCAO over operating points, beside brute force."""

from hypothesis import given
from hypothesis import strategies as st

from infadapter_scheduler.points import Situation, Timed
from infadapter_scheduler.points.slo_aware import Aclo, Lcao

TIMES = st.lists(st.floats(0.001, 1.0), min_size=1, max_size=6)
SHARES = st.floats(0, 1)


def situation(seconds: list[float], longest_s: float) -> Situation:
    points = [Timed(n, str(n), n / 10, {1: took_s}) for n, took_s in enumerate(seconds)]
    return Situation(0.0, "m", points, 1, 1, longest_s, 1.0, 1.0, 0.0, lambda size: longest_s)


@given(TIMES, SHARES)
def test_lcao_takes_the_most_accurate_point_in_time(seconds: list[float], longest_s: float) -> None:
    number = Lcao().choose(situation(seconds, longest_s)).number
    in_time = [n for n, took_s in enumerate(seconds) if took_s <= longest_s]
    if in_time:
        assert number == in_time[-1]
    else:
        assert seconds[number] == min(seconds)


@given(TIMES, SHARES)
def test_aclo_takes_the_fastest_point_that_is_accurate_enough(
    seconds: list[float], accuracy: float
) -> None:
    number = Aclo(accuracy).choose(situation(seconds, 1.0)).number
    enough = [n for n in range(len(seconds)) if n / 10 >= accuracy]
    if enough:
        assert number in enough
        assert seconds[number] == min(seconds[n] for n in enough)
    else:
        assert number == len(seconds) - 1
