"""What is added: pods and sizes that the plan wants and the budget with its surge has room for."""

from collections.abc import Sequence

from infadapter_operator.domain.observed import Observed
from infadapter_operator.domain.service import Service
from infadapter_operator.planning.capacity import load_time_s, plus, total
from infadapter_operator.rollout.enlarge import enlarge
from infadapter_operator.rollout.free import Room, room_for
from infadapter_operator.rollout.growth import Growing, Growth, Terms
from infadapter_operator.rollout.match import PodState, of_target
from infadapter_operator.rollout.starts import start
from infadapter_operator.rollout.surge_time import is_closed, is_over
from infadapter_solver.problem import Plan, PodGroup


def scale_up(
    service: Service,
    plan: Plan,
    pods: Sequence[PodState],
    observed: Observed,
    now_s: float,
    *,
    smaller: bool = False,
    bridges: bool = False,
) -> Growth:
    """
    Resizes first, they serve at once; then new pods, those that load fastest first.

    What was asked to grow beyond its plan is left to, while it `bridges`. With `smaller`, what has
    no room at its planned size starts or grows to the largest that has.
    """
    closed = is_closed(observed, now_s)
    terms = Terms(
        service=service,
        observed=observed,
        now_s=now_s,
        spare=_spare(service, plan),
        smaller=smaller,
        bridges=bridges,
        closed=closed,
        over=closed and is_over(service, observed.pods),
    )
    growing = Growing(_room(terms, plan))
    groups = _fastest_first(terms, plan)
    for group in groups:
        for one in of_target(pods, group.target):
            enlarge(terms, growing, one)
    for group in groups:
        start(terms, growing, group, of_target(pods, group.target))
    return growing.growth


def _room(terms: Terms, plan: Plan) -> Room:
    room = room_for(terms.service, plan, terms.observed)
    if terms.closed and not terms.over:
        room.take(terms.service.max_surge)  # until a look has seen that it came back
    return room


def _fastest_first(terms: Terms, plan: Plan) -> list[PodGroup]:
    groups = [group for group in plan.groups if group.target not in terms.observed.untouchable]
    return sorted(groups, key=lambda g: (load_time_s(terms.service, g.target), g.target))


def _spare(service: Service, plan: Plan) -> Room:
    """What budget and surge have beside all that is planned."""
    planned = total(group.resources for group in plan.groups)
    return Room(plus(plus(service.budget, service.max_surge), planned, -1))
