"""A situation that is written down and read again is the same, and is decided alike."""

import json
from dataclasses import replace

import pytest

from infadapter_operator.domain.serialize import from_json, to_json
from infadapter_operator.domain.situation import Situation
from infadapter_operator.planning.plan import Planned, plan
from infadapter_operator.reconcile import Cycle
from infadapter_operator.rollout.rollout import rollout
from tests.golden.situations import cycles


def reread(situation: Situation) -> Situation:
    text = json.dumps(to_json(situation), allow_nan=False)
    read: Situation = from_json(Situation, json.loads(text))
    return read


def decided(planned: Planned) -> object:
    return planned.decision, planned.blocks, planned.soon_rps, planned.failure


@pytest.mark.parametrize("name", ["bursty", "no-data", "restart"])
def test_a_situation_that_was_written_down_is_decided_alike(name: str) -> None:
    for cycle in telling(cycles(name)):
        assert cycle.situation is not None
        assert cycle.planned is not None
        read = reread(cycle.situation)
        assert read == cycle.situation
        again = plan(read)
        assert decided(again) == decided(cycle.planned)
        assert rollout(read, again) == cycle.rollout


def telling(found: list[Cycle]) -> list[Cycle]:
    """Those that planned something new, and some of the others."""
    return [cycle for n, cycle in enumerate(found) if cycle.plan_changed or n % 100 == 0]


def test_what_is_no_value_is_refused() -> None:
    with pytest.raises(TypeError, match="no value"):
        to_json(object())
    with pytest.raises(TypeError, match="is no int"):
        from_json(dict[str, int], {"a": 1.5})


def test_numbers_that_json_lacks_come_back() -> None:
    (cycle, *_) = cycles("steady")
    assert cycle.situation is not None
    observed = replace(cycle.situation.observed, moved_at_s=float("-inf"))
    endless = replace(cycle.situation, observed=observed)
    assert reread(endless) == endless
