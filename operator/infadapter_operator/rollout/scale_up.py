"""Scale up: the planned pods and sizes for which budget and surge have room."""

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
    Return the resizes and new pods that have room, and the shortages of those that do not.

    Resizes come first, because they add capacity within a second; then new pods, fastest load
    first. With `bridges`, pods that were asked to grow beyond their planned size keep that request.
    With `smaller`, a pod without room for its planned size uses the largest size that fits.
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
        room.take(terms.service.max_surge)  # until a cycle has seen that it was returned
    return room


def _fastest_first(terms: Terms, plan: Plan) -> list[PodGroup]:
    groups = [group for group in plan.groups if group.target not in terms.observed.untouchable]
    return sorted(groups, key=lambda g: (load_time_s(terms.service, g.target), g.target))


def _spare(service: Service, plan: Plan) -> Room:
    """Return the room that budget and surge have beside everything that is planned."""
    planned = total(group.resources for group in plan.groups)
    return Room(plus(plus(service.budget, service.max_surge), planned, -1))
