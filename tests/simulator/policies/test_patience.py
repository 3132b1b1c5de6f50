"""When less is acted upon."""

from infadapter_simulator.policies.papers.patience import Patience


def test_more_is_acted_upon_at_once_and_no_more_after_four_rounds() -> None:
    patience = Patience(rounds=4)
    assert not patience.waits(10, 12)
    assert [patience.waits(12, wanted) for wanted in (8, 12, 8, 8, 8)] == [*4 * [True], False]
    assert patience.waits(8, 7)


def test_more_begins_the_count_anew() -> None:
    patience = Patience(rounds=2)
    assert [patience.waits(10, wanted) for wanted in (9, 11, 9, 9, 9)] == [
        True,
        False,
        True,
        True,
        False,
    ]


def test_without_rounds_nothing_waits() -> None:
    assert not Patience(rounds=0).waits(10, 9)
