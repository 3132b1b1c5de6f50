"""The value of a switch: the transition takes part of the time that the plan lasts."""

from infadapter_operator.domain.observed import Observed
from infadapter_operator.planning.problem import problem_for
from infadapter_operator.planning.switching_cost import Switch
from infadapter_solver import PodGroup, evaluate
from infadapter_solver.problem import CPU, PodSize
from tests.builders import SMALL, a_pod, a_service

PODS = tuple(a_pod(f"small-{i}", 4000) for i in range(2))
SERVICE = a_service(budget={CPU: 8000}, max_surge={CPU: 8000})


def worth(observed: Observed) -> float:
    """Return the value of switching to 8 pods of one core, in an overload."""
    problem = problem_for(SERVICE, observed, 1000.0)
    one_core = next(a for a in SMALL.allocations if a.cpu_millicores == 1000)
    group = PodGroup(target=PODS[0].target, allocation=one_core, pods=8)
    switch = Switch(service=SERVICE, observed=observed, problem=problem, now_s=0.0, dwell_s=30.0)
    return switch.worth(evaluate(problem, (group,)))


def test_pods_that_come_up_too_large_to_start_at_once_are_replaced_in_turn() -> None:
    target = PODS[0].target
    large, small = (PodSize(resources={CPU: millicores}) for millicores in (4000, 1000))
    as_planned = Observed(pods=PODS, templates={target: small})
    assert worth(as_planned) == worth(Observed(pods=PODS))
    assert worth(Observed(pods=PODS, templates={target: large})) < worth(as_planned)


def test_pods_that_come_up_larger_and_have_room_start_at_once() -> None:
    target = PODS[0].target
    planned = Observed(pods=PODS, templates={target: PodSize(resources={CPU: 1000})})
    larger = Observed(pods=PODS, templates={target: PodSize(resources={CPU: 1300})})
    assert worth(larger) == worth(planned)
