"""The steps of a rollout on hand-made observations: which are possible now, which must wait."""

from collections.abc import Mapping
from dataclasses import replace

import pytest

from infadapter_operator.domain.decision import Decision
from infadapter_operator.domain.observed import Observed, Pod, Resize
from infadapter_operator.domain.progress import Phase
from infadapter_operator.domain.service import Service
from infadapter_operator.domain.steps import (
    RemovePods,
    ReplacePods,
    ResizePod,
    ScaleUp,
    SetWeights,
    Step,
)
from infadapter_operator.planning.capacity import fitting
from infadapter_operator.planning.warming import warming
from infadapter_operator.rollout.match import RESIZE_PATIENCE_S
from infadapter_operator.rollout.rollout import towards
from infadapter_solver.problem import CPU, Allocation, PodGroup, PodSize, Target
from tests.builders import EMPTY_PLAN, SMALL, a_pod, a_service, recall

NOW_S = 1000.0
SERVICE = a_service()


def planned(
    *groups: tuple[str, int, int], demand_rps: float = 10.0, service: Service = SERVICE
) -> Decision:
    """Return a decision for these groups: variant, pods, millicores."""
    return recall(
        service,
        tuple(
            PodGroup(target=Target(v), allocation=allocation(v, size), pods=pods)
            for v, pods, size in groups
        ),
        demand_rps=demand_rps,
        decided_at_s=NOW_S,
    )


def allocation(variant: str, millicores: int) -> Allocation:
    found = fitting(SERVICE, Target(variant), PodSize(resources={CPU: millicores}))
    assert found is not None
    return found


def seen(*pods: Pod, weights: Mapping[str, int] | None = None, **changes: object) -> Observed:
    desired: dict[Target, int] = {}
    for pod in pods:
        desired[pod.target] = desired.get(pod.target, 0) + (not pod.leaving)
    observed = Observed(pods=pods, weights=weights or {}, desired_pods=desired)
    return replace(observed, **changes)  # type: ignore[arg-type]


def steps(
    decision: Decision,
    observed: Observed,
    demand_rps: float | None = 5.0,
    service: Service = SERVICE,
) -> tuple[Step, ...]:
    return towards(service, decision, observed, demand_rps, NOW_S).steps


def weights_of(found: tuple[Step, ...]) -> dict[str, int]:
    (step,) = [step for step in found if isinstance(step, SetWeights)]
    return {backend.pod: backend.weight for backend in step.backends}


# --- creating ----------------------------------


def test_starts_what_is_missing_at_its_planned_size() -> None:
    assert steps(planned(("small", 2, 1000)), seen()) == (
        ScaleUp(target=Target("small"), size=allocation("small", 1000).size, pods=2),
    )


def test_waits_for_what_is_on_its_way() -> None:
    coming = seen(desired_pods={Target("small"): 2})
    assert steps(planned(("small", 2, 1000)), coming) == ()
    starting = seen(a_pod("small-1", 1000, ready=False), desired_pods={Target("small"): 2})
    assert steps(planned(("small", 2, 1000)), starting) == ()


def test_grows_in_place_at_once() -> None:
    observed = seen(a_pod("small-1", 1000), weights={"small-1": 1000})
    assert steps(planned(("small", 1, 2000)), observed) == (
        ResizePod(pod="small-1", target=Target("small"), size=allocation("small", 2000).size),
    )


def test_what_starts_soonest_starts_first() -> None:
    found = steps(planned(("large", 1, 1000), ("small", 1, 1000)), seen())
    assert [step.target.variant for step in found if isinstance(step, ScaleUp)] == [
        "small",
        "large",
    ]


def test_starts_as_many_as_budget_and_surge_hold() -> None:
    service = a_service(budget={CPU: 3000}, max_surge={CPU: 1000})
    observed = seen(a_pod("large-1", 2000), weights={"large-1": 1000})
    found = steps(planned(("small", 3, 1000)), observed, 8.0, service)
    assert found == (ScaleUp(target=Target("small"), size=allocation("small", 1000).size, pods=2),)


def test_a_pod_that_leaves_still_holds_what_it_has() -> None:
    service = a_service(budget={CPU: 2000}, max_surge={CPU: 0})
    leaving = seen(a_pod("large-1", 2000, ready=False, leaving=True))
    assert steps(planned(("small", 1, 1000)), leaving, 1.0, service) == ()


def test_later_pods_count_at_the_size_at_which_they_come_up() -> None:
    service = a_service(budget={CPU: 4000}, max_surge={CPU: 0})
    observed = seen(
        a_pod("small-1", 1000),
        weights={"small-1": 1000},
        templates={Target("small"): allocation("small", 2000)},
    )
    found = steps(planned(("small", 3, 1000)), observed, 5.0, service)
    assert found == (ScaleUp(target=Target("small"), size=allocation("small", 1000).size, pods=2),)


# --- weights ----------------------------------


def test_a_ready_pod_gets_weight() -> None:
    found = steps(planned(("small", 1, 1000)), seen(a_pod("small-1", 1000)))
    assert weights_of(found) == {"small-1": 1000}


def test_weights_that_are_in_force_are_not_set_again() -> None:
    observed = seen(a_pod("small-1", 1000), weights={"small-1": 1000})
    assert steps(planned(("small", 1, 1000)), observed) == ()


def test_weights_that_were_sent_but_not_confirmed_are_set_again() -> None:
    observed = seen(a_pod("small-1", 1000), sent_weights={"small-1": 1000})
    assert weights_of(steps(planned(("small", 1, 1000)), observed)) == {"small-1": 1000}


def test_nothing_ready_is_an_empty_set_of_backends() -> None:
    observed = seen(a_pod("small-1", 1000, ready=False), weights={"small-1": 1000})
    assert steps(planned(("small", 1, 1000)), observed) == (SetWeights(backends=()),)


def test_a_new_pod_of_another_size_is_levelled_before_it_gets_weight() -> None:
    observed = seen(a_pod("small-1", 1000), a_pod("small-2", 500), weights={"small-1": 1000})
    decision = planned(("small", 2, 1000), demand_rps=30.0)
    found = steps(decision, observed, 12.0)
    assert found == (
        ResizePod(pod="small-2", target=Target("small"), size=allocation("small", 1000).size),
    )


def test_a_new_pod_that_came_up_too_large_is_levelled_too() -> None:
    observed = seen(a_pod("small-1", 1000), a_pod("small-2", 2000), weights={"small-1": 1000})
    found = steps(planned(("small", 2, 1000), demand_rps=30.0), observed, 12.0)
    assert found == (
        ResizePod(pod="small-2", target=Target("small"), size=allocation("small", 1000).size),
    )


def test_a_pod_to_be_levelled_helps_out_when_the_others_do_not_suffice() -> None:
    observed = seen(a_pod("small-1", 1000), a_pod("small-2", 500), weights={"small-1": 1000})
    found = steps(planned(("small", 2, 1000), demand_rps=30.0), observed, 29.0)
    assert set(weights_of(found)) == {"small-1", "small-2"}


def test_in_a_rise_traffic_is_split_for_the_load_that_was_planned_for() -> None:
    plan = planned(("large", 1, 1000), ("small", 1, 1000), demand_rps=20.0)
    both = seen(a_pod("large-1", 1000), a_pod("small-1", 1000))
    large_rps, small_rps = (allocation(v, 1000).capacity_rps for v in ("large", "small"))
    now_rps = 0.5 * large_rps
    assert weights_of(steps(plan, both, now_rps)) == {"large-1": 1000}
    rising = replace(plan, demand_rps=large_rps + small_rps, outgrown=1)
    share = large_rps / (large_rps + small_rps)
    assert weights_of(steps(rising, both, now_rps))["large-1"] == round(1000 * share)


def test_weights_come_before_what_shrinks() -> None:
    observed = seen(
        a_pod("small-1", 1000),
        a_pod("large-1", 1000, ready=False),
        a_pod("large-2", 1000),
        weights={},
    )
    found = steps(planned(("large", 1, 1000)), observed, 3.0)
    kinds = [type(step) for step in found]
    assert kinds.index(SetWeights) < kinds.index(RemovePods)


# --- destroying ----------------------------------


def test_the_old_keeps_serving_while_the_new_is_not_ready() -> None:
    observed = seen(
        a_pod("small-1", 1000), a_pod("large-1", 4000, ready=False), weights={"small-1": 1000}
    )
    assert steps(planned(("large", 1, 4000)), observed) == ()


def test_old_pods_lose_their_weight_then_go() -> None:
    decision = planned(("large", 1, 4000))
    pods = (a_pod("small-1", 1000), a_pod("large-1", 4000))
    both = seen(*pods, weights={"small-1": 1000})
    assert weights_of(steps(decision, both)) == {"large-1": 1000}
    assert not any(isinstance(step, RemovePods) for step in steps(decision, both))
    drained = seen(*pods, weights={"large-1": 1000})
    assert steps(decision, drained) == (
        RemovePods(target=Target("small"), pods=("small-1",), remaining=0),
    )


def test_a_weight_that_was_sent_and_may_come_into_force_keeps_a_pod() -> None:
    observed = seen(
        a_pod("small-1", 1000),
        a_pod("large-1", 4000),
        weights={"large-1": 1000},
        sent_weights={"large-1": 500, "small-1": 500},
    )
    found = steps(planned(("large", 1, 4000)), observed)
    assert not any(isinstance(step, RemovePods) for step in found)


def test_weights_that_were_replaced_unconfirmed_still_keep_a_pod() -> None:
    observed = seen(
        a_pod("small-1", 1000),
        a_pod("large-1", 4000),
        weights={"large-1": 1000},
        sent_weights={"large-1": 1000},
    )
    decision = planned(("large", 1, 4000))
    assert [type(step) for step in steps(decision, observed)] == [RemovePods]
    assert steps(decision, replace(observed, may_obey=frozenset({"small-1"}))) == ()


def test_weights_in_force_are_sent_again_over_others_that_are_on_their_way() -> None:
    observed = seen(
        a_pod("large-1", 4000),
        weights={"large-1": 1000},
        sent_weights={"gone-1": 1000},
    )
    assert weights_of(steps(planned(("large", 1, 4000)), observed)) == {"large-1": 1000}


def test_nothing_goes_below_what_is_asked_for_now_until_the_plan_is_ready() -> None:
    observed = seen(
        a_pod("small-1", 1000), a_pod("large-1", 4000, ready=False), weights={"small-1": 1000}
    )
    assert steps(planned(("large", 1, 4000)), observed, 15.0) == ()


def test_in_an_overload_only_the_plan_is_kept_once_it_is_ready() -> None:
    """Ready pods beyond the plan hold surge, which is only for replacing pods."""
    observed = seen(a_pod("small-1", 1000), a_pod("large-1", 4000), weights={"large-1": 1000})
    assert [type(s) for s in steps(planned(("large", 1, 4000)), observed, 35.0)] == [RemovePods]


def test_shrinks_in_place_when_the_router_sends_no_more_than_fits() -> None:
    observed = seen(a_pod("small-1", 2000), weights={"small-1": 1000})
    assert steps(planned(("small", 1, 1000)), observed, 10.0) == (
        ResizePod(pod="small-1", target=Target("small"), size=allocation("small", 1000).size),
    )
    assert steps(planned(("small", 2, 1000)), observed, 25.0)[1:] == ()


def test_shrinks_only_after_the_load_has_moved() -> None:
    decision = planned(("small", 2, 1000), demand_rps=30.0)
    pods = (a_pod("small-1", 4000), a_pod("small-2", 1000))
    lopsided = seen(*pods, weights={"small-1": 1000})
    assert [type(step) for step in steps(decision, lopsided, 30.0)] == [SetWeights]
    even = seen(*pods, weights={"small-1": 500, "small-2": 500})
    assert [type(step) for step in steps(decision, even, 30.0)] == [ResizePod]


def test_shrinks_while_weights_still_move_if_by_none_of_them_it_gets_more_than_fits() -> None:
    decision = planned(("small", 2, 1000), demand_rps=30.0)
    pods = (a_pod("small-1", 4000), a_pod("small-2", 1000))
    moving = seen(*pods, weights={"small-1": 100, "small-2": 900})
    assert [type(step) for step in steps(decision, moving, 30.0)] == [SetWeights, ResizePod]
    soon_lopsided = replace(moving, sent_weights={"small-1": 900, "small-2": 100})
    assert [type(step) for step in steps(decision, soon_lopsided, 30.0)] == [SetWeights]


def test_pods_that_were_never_created_are_called_off() -> None:
    observed = seen(
        a_pod("small-1", 1000), weights={"small-1": 1000}, desired_pods={Target("small"): 5}
    )
    assert steps(planned(("small", 1, 1000)), observed) == (
        RemovePods(target=Target("small"), pods=(), remaining=1),
    )


def test_of_too_many_the_ones_that_serve_stay() -> None:
    observed = seen(
        a_pod("small-1", 1000, ready=False),
        a_pod("small-2", 1000),
        weights={"small-2": 1000},
    )
    assert steps(planned(("small", 1, 1000)), observed) == (
        RemovePods(target=Target("small"), pods=("small-1",), remaining=1),
    )


def test_a_rolling_change_keeps_its_extra_pod() -> None:
    observed = seen(
        a_pod("small-1", 1000),
        a_pod("small-2", 1000, ready=False),
        weights={"small-1": 1000},
        desired_pods={Target("small"): 1},
    )
    assert steps(planned(("small", 1, 1000)), observed) == ()


def test_while_a_roll_goes_on_nothing_is_as_planned() -> None:
    """The platform still removes an old pod, and reports only that the target rolls."""
    observed = seen(a_pod("small-1", 1000), weights={"small-1": 1000})
    plan = planned(("small", 1, 1000))
    assert towards(SERVICE, plan, observed, 5.0, NOW_S).progress.phase is Phase.DONE
    rolls = replace(observed, rolling=frozenset({Target("small")}))
    assert towards(SERVICE, plan, rolls, 5.0, NOW_S).progress.phase is Phase.DRAINING


def test_of_too_many_in_a_rolling_change_its_own_pod_is_not_taken() -> None:
    observed = seen(
        a_pod("small-1", 1000),
        a_pod("small-2", 1000),
        a_pod("small-3", 1000, ready=False),
        weights={"small-1": 1000},
        desired_pods={Target("small"): 2},
    )
    assert steps(planned(("small", 1, 1000)), observed) == (
        RemovePods(target=Target("small"), pods=("small-2",), remaining=1),
    )


def test_too_many_go_before_the_rest_is_rolled() -> None:
    refused = {"wanted": 2000, "resize": Resize.REFUSED}
    pods = (a_pod("small-1", 1000, **refused), a_pod("small-2", 1000, **refused))  # type: ignore[arg-type]
    found = steps(planned(("small", 1, 2000)), seen(*pods, weights={"small-1": 1000}))
    assert not any(isinstance(step, ReplacePods) for step in found)


def test_pods_of_a_variant_that_left_the_spec_serve_until_the_others_can() -> None:
    decision = planned(("small", 1, 1000))
    alone = seen(a_pod("gone-1", 1000), weights={"gone-1": 1000})
    assert [type(step) for step in steps(decision, alone)] == [ScaleUp]
    relieved = seen(a_pod("gone-1", 1000), a_pod("small-1", 1000), weights={"gone-1": 1000})
    assert weights_of(steps(decision, relieved)) == {"small-1": 1000}


def test_pods_of_a_variant_that_left_the_spec_serve_also_where_nothing_can_be_planned() -> None:
    nothing = replace(planned(("small", 1, 1000)), plan=EMPTY_PLAN)
    observed = seen(a_pod("gone-1", 1000), weights={"gone-1": 1000})
    assert steps(nothing, observed, 9.0) == ()
    assert steps(nothing, observed, 0.0) == ()


# --- doubt ----------------------------------


def test_in_doubt_nothing_shrinks_and_nothing_goes() -> None:
    observed = seen(
        a_pod("small-1", 4000),
        a_pod("small-2", 1000),
        a_pod("large-1", 1000, ready=False),
        weights={"small-1": 800, "small-2": 200},
    )
    found = steps(planned(("small", 1, 1000)), observed, None)
    assert not any(isinstance(step, RemovePods | ReplacePods | ResizePod) for step in found)


def test_in_doubt_what_is_missing_still_starts_and_what_is_ready_serves() -> None:
    observed = seen(a_pod("small-2", 1000), weights={"small-1": 1000})
    found = steps(planned(("small", 2, 1000)), observed, None)
    assert {type(step) for step in found} == {ScaleUp, SetWeights}


def test_before_any_load_was_seen_all_that_runs_serves() -> None:
    pods = (a_pod("small-1", 1000), a_pod("large-1", 1000))
    adopted = warming(SERVICE, seen(*pods), NOW_S)
    assert set(weights_of(steps(adopted, seen(*pods), None))) == {"small-1", "large-1"}


# --- no room ----------------------------------


def test_without_surge_the_old_shrinks_to_what_is_asked_for() -> None:
    service = a_service(budget={CPU: 2000}, max_surge={CPU: 0})
    observed = seen(a_pod("small-1", 2000), weights={"small-1": 1000})
    assert steps(planned(("large", 1, 2000)), observed, 7.0, service) == (
        ResizePod(pod="small-1", target=Target("small"), size=allocation("small", 500).size),
    )


def test_what_serves_least_for_what_it_holds_makes_way_first() -> None:
    """The slow pod is removed, instead of shrinking the faster, less accurate one."""
    service = a_service(budget={CPU: 4000}, max_surge={CPU: 0})
    pods = (a_pod("large-1", 2000), a_pod("middle-1", 2000))
    observed = seen(*pods, weights={"large-1": 285, "middle-1": 715})
    found = steps(planned(("small", 1, 2000)), observed, 15.0, service)
    assert weights_of(found) == {"middle-1": 1000}
    assert resizes(found) == {}


def test_then_the_new_starts_as_large_as_there_is_room() -> None:
    service = a_service(budget={CPU: 2000}, max_surge={CPU: 0})
    observed = seen(a_pod("small-1", 500), weights={"small-1": 1000})
    assert steps(planned(("large", 1, 2000)), observed, 7.0, service) == (
        ScaleUp(target=Target("large"), size=allocation("large", 1000).size, pods=1),
    )


def test_where_every_way_costs_capacity_the_least_is_given_up() -> None:
    """The least shrink that lets the new variant start; more follows once that serves."""
    service = a_service(budget={CPU: 4000}, max_surge={CPU: 0})
    observed = seen(a_pod("small-1", 4000), weights={"small-1": 1000})
    found = towards(service, planned(("middle", 1, 4000)), observed, 79.0, NOW_S)
    assert found.short == {CPU}
    assert found.progress.phase is Phase.STARTING
    assert resizes(found.steps) == {"small-1": 2000}


def test_nothing_more_is_given_up_while_what_was_given_up_for_starts() -> None:
    service = a_service(budget={CPU: 4000}, max_surge={CPU: 0})
    observed = seen(
        a_pod("small-1", 2000), a_pod("middle-1", 2000, ready=False), weights={"small-1": 1000}
    )
    found = towards(service, planned(("middle", 1, 4000)), observed, 79.0, NOW_S)
    assert found.steps == ()


def test_running_pods_make_way_for_a_pending_one() -> None:
    pending = a_pod("large-1", 2000, ready=False, unschedulable_since_s=NOW_S - 65.0)
    observed = seen(a_pod("small-1", 2000), pending, weights={"small-1": 1000})
    assert steps(planned(("large", 1, 2000)), observed, 7.0)


def test_a_growth_in_part_that_the_node_defers_is_not_asked_for_again() -> None:
    service = a_service(budget={CPU: 2000}, max_surge={CPU: 0})
    waiting = a_pod("small-1", 1000, wanted=2000, resize=Resize.DEFERRED, resize_since_s=NOW_S)
    observed = seen(waiting, weights={"small-1": 1000})
    assert steps(planned(("small", 1, 4000)), observed, 30.0, service) == ()


# --- resizes that fail ----------------------------------


def test_a_refused_resize_becomes_a_rolling_change() -> None:
    refused = a_pod("small-1", 1000, wanted=2000, resize=Resize.REFUSED)
    observed = seen(refused, weights={"small-1": 1000})
    assert steps(planned(("small", 1, 2000)), observed) == (
        ReplacePods(target=Target("small"), size=allocation("small", 2000).size, pods=1),
    )


@pytest.mark.parametrize(("waited_s", "rolls"), [(10.0, False), (RESIZE_PATIENCE_S + 1, True)])
def test_a_deferred_resize_is_waited_for_but_not_for_ever(waited_s: float, rolls: bool) -> None:
    deferred = a_pod(
        "small-1",
        1000,
        wanted=2000,
        resize=Resize.DEFERRED,
        resize_since_s=NOW_S - waited_s,
    )
    found = steps(planned(("small", 1, 2000)), seen(deferred, weights={"small-1": 1000}))
    assert [type(step) for step in found] == ([ReplacePods] if rolls else [])


def test_a_rolling_change_is_not_begun_twice() -> None:
    refused = a_pod("small-1", 1000, wanted=2000, resize=Resize.REFUSED)
    observed = seen(
        refused,
        weights={"small-1": 1000},
        rolling=frozenset({Target("small")}),
    )
    assert steps(planned(("small", 1, 2000)), observed) == ()


def test_a_pod_that_was_shrunk_and_can_not_grow_again_is_replaced_at_the_same_template() -> None:
    deferred = a_pod(
        "small-1",
        1000,
        wanted=2000,
        resize=Resize.DEFERRED,
        resize_since_s=NOW_S - RESIZE_PATIENCE_S - 1,
    )
    observed = seen(
        deferred,
        weights={"small-1": 1000},
        templates={Target("small"): allocation("small", 2000)},
    )
    assert [type(s) for s in steps(planned(("small", 1, 2000)), observed)] == [ReplacePods]


def test_a_refused_resize_holds_nothing_beyond_what_is_in_force() -> None:
    service = a_service(budget={CPU: 4000}, max_surge={CPU: 3000})
    refused = a_pod("small-1", 1000, wanted=4000, resize=Resize.REFUSED)
    found = steps(
        planned(("small", 1, 4000)), seen(refused, weights={"small-1": 1000}), 10.0, service
    )
    assert [type(step) for step in found] == [ReplacePods]


def test_pods_that_are_missing_come_with_the_rolling_change_of_the_others() -> None:
    """Started before the roll, they would have the template that is to be replaced."""
    observed = seen(
        a_pod("small-1", 1000, batch_size=8),
        a_pod("small-2", 1000, batch_size=8),
        weights={"small-1": 500, "small-2": 500},
    )
    found = steps(planned(("small", 3, 1000)), observed)
    assert [(type(s), s.pods) for s in found if not isinstance(s, SetWeights | ResizePod)] == [
        (ReplacePods, 3)
    ]


def test_one_too_many_that_is_needed_until_the_rest_is_replaced_does_not_stop_it() -> None:
    weights = {"small-1": 500, "small-2": 500}
    observed = seen(a_pod("small-1", 1000), a_pod("small-2", 1000), weights=weights)
    batched = Allocation(size=PodSize(resources={CPU: 1000}, batch_size=8), capacity_rps=60.0)
    variant = replace(SMALL, allocations=(*SMALL.allocations, batched))
    service = a_service(variants=(variant,))
    group = PodGroup(target=Target("small"), allocation=batched, pods=1)
    decision = recall(service, (group,), demand_rps=35.0, decided_at_s=NOW_S)
    both_needed = steps(decision, observed, 35.0, service)
    assert [(type(s), s.pods) for s in both_needed if isinstance(s, ReplacePods)] == [
        (ReplacePods, 2)
    ]
    one_suffices = steps(decision, observed, 15.0, service)
    assert [type(s) for s in one_suffices] == [SetWeights], "the other one is drained first"


def test_another_batch_size_is_another_pod() -> None:
    observed = seen(a_pod("small-1", 1000, batch_size=8), weights={"small-1": 1000})
    found = steps(planned(("small", 1, 1000)), observed)
    assert [type(step) for step in found] == [ReplacePods]


# --- others ----------------------------------


def test_what_another_controller_writes_is_left_alone_and_serves() -> None:
    observed = seen(
        a_pod("small-1", 1000),
        a_pod("large-1", 4000),
        weights={},
        untouchable=frozenset({Target("small")}),
    )
    found = steps(planned(("large", 1, 4000)), observed, 25.0)
    assert [type(step) for step in found] == [SetWeights]
    assert set(weights_of(found)) == {"small-1", "large-1"}


def test_as_everything_should_be_there_is_nothing_to_do() -> None:
    observed = seen(
        a_pod("small-1", 1000), a_pod("large-1", 4000), weights={"large-1": 667, "small-1": 333}
    )
    decision = planned(("small", 1, 1000), ("large", 1, 4000), demand_rps=25.0)
    found = towards(SERVICE, decision, observed, 21.0, NOW_S)
    assert found.steps == ()
    assert found.progress.phase is Phase.DONE


# --- stopgaps during a start ---------------------------------------------------------------------


def resizes(steps: tuple[Step, ...]) -> dict[str, int]:
    return {s.pod: s.size.cpu_millicores for s in steps if isinstance(s, ResizePod)}


def test_what_serves_grows_while_what_is_planned_starts() -> None:
    observed = seen(
        a_pod("small-1", 500), a_pod("middle-1", 4000, ready=False), weights={"small-1": 1000}
    )
    found = steps(planned(("middle", 1, 4000)), observed, 30.0)
    assert resizes(found) == {"small-1": 2000}


def test_a_bridge_is_no_larger_than_the_plan() -> None:
    observed = seen(
        a_pod("small-1", 500), a_pod("middle-1", 1000, ready=False), weights={"small-1": 1000}
    )
    assert resizes(steps(planned(("middle", 1, 1000)), observed, 90.0)) == {}


def test_a_bridge_that_is_growing_is_left_to() -> None:
    observed = seen(
        a_pod("small-1", 500, wanted=2000, resize=Resize.IN_PROGRESS),
        a_pod("middle-1", 4000, ready=False),
        weights={"small-1": 1000},
    )
    plan = planned(("small", 1, 500), ("middle", 1, 4000))
    assert resizes(steps(plan, observed, 30.0)) == {}


def test_a_bridge_is_taken_back_when_what_is_planned_is_ready() -> None:
    observed = seen(
        a_pod("small-1", 2000),
        a_pod("middle-1", 4000),
        weights={"small-1": 1, "middle-1": 999},
    )
    plan = planned(("small", 1, 500), ("middle", 1, 4000))
    assert resizes(steps(plan, observed, 20.0)) == {"small-1": 500}


def test_there_is_no_bridge_in_doubt_nor_where_enough_is_ready() -> None:
    observed = seen(
        a_pod("small-1", 500), a_pod("middle-1", 4000, ready=False), weights={"small-1": 1000}
    )
    plan = planned(("middle", 1, 4000))
    assert resizes(towards(SERVICE, plan, observed, None, NOW_S).steps) == {}
    assert resizes(steps(plan, observed, 5.0)) == {}


def test_a_bridge_takes_no_more_than_budget_and_surge_have_left() -> None:
    service = a_service(budget={CPU: 4000}, max_surge={CPU: 1000})
    observed = seen(
        a_pod("small-1", 500), a_pod("middle-1", 4000, ready=False), weights={"small-1": 1000}
    )
    plan = planned(("middle", 1, 4000), service=service)
    assert resizes(steps(plan, observed, 35.0, service)) == {"small-1": 1000}


def test_there_is_no_bridge_while_what_is_planned_has_no_node() -> None:
    observed = seen(
        a_pod("small-1", 500),
        a_pod("middle-1", 4000, ready=False, unschedulable_since_s=NOW_S - 5.0),
        weights={"small-1": 1000},
    )
    assert resizes(steps(planned(("middle", 1, 4000)), observed, 30.0)) == {}


def test_too_little_makes_way_for_what_is_planned_and_has_no_node() -> None:
    observed = seen(
        a_pod("large-1", 4000),
        a_pod("middle-1", 4000, ready=False, unschedulable_since_s=NOW_S - 5.0),
        weights={"large-1": 1000},
    )
    plan = planned(("middle", 1, 4000))
    assert resizes(steps(plan, observed, 30.0)) == {"large-1": 2000}
    settling = replace(observed, pods=(a_pod("large-1", 4000, wanted=2000), observed.pods[1]))
    assert resizes(steps(plan, settling, 30.0)) == {}


def test_enough_does_not_make_way_for_what_has_no_node() -> None:
    observed = seen(
        a_pod("large-1", 4000),
        a_pod("middle-1", 4000, ready=False, unschedulable_since_s=NOW_S - 5.0),
        weights={"large-1": 1000},
    )
    assert resizes(steps(planned(("middle", 1, 4000)), observed, 15.0)) == {}


def test_no_room_is_made_in_the_budget_for_more_of_what_has_no_node() -> None:
    """A pod that waits for a node shows that nodes are full, so no room in the budget is made."""
    service = a_service(budget={CPU: 8000}, max_surge={CPU: 0})
    plan = planned(("middle", 2, 4000), service=service)
    waits = a_pod("middle-1", 4000, ready=False, unschedulable_since_s=NOW_S - 5.0)
    observed = seen(a_pod("large-1", 4000), waits, weights={"large-1": 1000})
    assert steps(plan, observed, 15.0, service) == ()
    comes = replace(observed, pods=(observed.pods[0], a_pod("middle-1", 4000)))
    assert weights_of(steps(plan, comes, 15.0, service)) == {"middle-1": 1000}


def test_one_too_many_that_waits_for_its_size_serves_on_while_that_is_asked_for() -> None:
    """A surplus pod with a deferred resize serves on in an overload: it holds no extra budget."""
    service = a_service(budget={CPU: 7000}, max_surge={CPU: 7000})
    plan = planned(("small", 3, 2000), service=service)
    observed = seen(
        *(a_pod(f"small-{n}", 2000) for n in range(3)),
        a_pod("small-3", 1000, wanted=2000, resize=Resize.DEFERRED, resize_since_s=NOW_S - 90.0),
        weights={f"small-{n}": 250 for n in range(4)},
    )
    overload_rps, planned_rps = 2 * plan.plan.capacity_rps, 0.8 * plan.plan.capacity_rps
    assert "small-3" in weights_of(steps(plan, observed, overload_rps, service))
    assert "small-3" not in weights_of(steps(plan, observed, planned_rps, service))
    less = a_service(budget={CPU: 6000}, max_surge={CPU: 7000})
    assert "small-3" not in weights_of(steps(plan, observed, overload_rps, less))


def test_a_pod_whose_node_refused_to_grow_is_no_bridge() -> None:
    observed = seen(
        a_pod("small-1", 500, wanted=4000, resize=Resize.REFUSED),
        a_pod("middle-1", 4000, ready=False),
        weights={"small-1": 1000},
    )
    assert resizes(steps(planned(("middle", 1, 4000)), observed, 30.0)) == {}


def test_all_that_may_go_makes_way_where_it_is_less_than_half_of_what_has_no_node() -> None:
    """All surplus pods are released, because the platform does not say how much is missing."""
    observed = seen(
        a_pod("small-1", 4000),
        a_pod("large-1", 1000),
        a_pod("small-2", 4000, ready=False, unschedulable_since_s=NOW_S - 5.0),
        weights={"small-1": 950, "large-1": 50},
    )
    plan = planned(("small", 2, 4000), demand_rps=150.0)
    assert weights_of(steps(plan, observed, 150.0)) == {"small-1": 1000}
    drained = replace(observed, weights={"small-1": 1000})
    assert steps(plan, drained, 150.0) == (
        RemovePods(target=Target("large"), pods=("large-1",), remaining=0),
    )


def test_a_pod_that_a_roll_has_made_carries_before_one_of_the_others_goes() -> None:
    """Without weight for the new pod, capacity would fall when the platform removes an old one."""
    observed = seen(
        *(a_pod(f"small-{n}", 1000) for n in range(4)),
        weights={"small-0": 334, "small-1": 333, "small-2": 333},
        desired_pods={Target("small"): 3},
    )
    plan = planned(("small", 3, 1000), demand_rps=20.0)
    assert steps(plan, observed, 20.0) == ()
    rolling = replace(observed, rolling=frozenset({Target("small")}))
    assert set(weights_of(steps(plan, rolling, 20.0))) == {f"small-{n}" for n in range(4)}
