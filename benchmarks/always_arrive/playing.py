"""A state from which the loop has to get to its plan, played to its end in virtual time."""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field

from infadapter_operator.domain.observed import Pod
from infadapter_operator.domain.service import Service
from infadapter_operator.reconcile import Cycle
from infadapter_simulator.holding import holding
from infadapter_simulator.policies.ours import Ours
from infadapter_simulator.scenario import Scenario
from infadapter_simulator.simulate import Workload, simulate
from infadapter_simulator.world.queues import ON_TIME
from infadapter_simulator.world.world import World
from infadapter_solver import CPU, Allocation, Target

NEVER_CAME_S = 60.0
"""Who has not become Ready by then, and is not planned, never came, whatever its platform says."""

AS_PLANNED = "as planned"
UNKNOWN = "not there"


@dataclass(frozen=True, slots=True, kw_only=True)
class Running:
    """Pods that run and carry before the first cycle."""

    variant: str
    allocation: Allocation
    pods: int = 1


@dataclass(frozen=True, slots=True, kw_only=True)
class State:
    """`running` empty: what the loop would have chosen. At `event_s` it is disturbed."""

    name: str
    service: Service
    scenario: Scenario
    workload: Workload
    running: tuple[Running, ...] = ()
    event_s: float = 0.0
    cycle_s: float = 1.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Arrived:
    """How it went on from the event."""

    state: str
    reached_s: float | None  # until the pods were the plan's, all Ready; None: never
    longest_away_s: float  # the longest unbroken time in which they were not
    end: str
    seconds_over_budget: float
    longest_over_budget_s: float
    most_cores: float
    missed: int
    missed_share: float
    plan_changes: int
    highest_planned_rps: float
    starts_s: tuple[float, ...]  # when each pod was made


@dataclass(frozen=True, slots=True, kw_only=True)
class Sight:
    """What a cycle said; `rest` is empty where the loop names none."""

    at_s: float
    as_planned: bool
    rest: str
    planned_rps: float
    plan_changed: bool


@dataclass(slots=True, kw_only=True)
class Watched:
    """Ours, from pods that it did not choose, and what each of its cycles said."""

    ours: Ours
    running: tuple[Running, ...]
    sights: list[Sight] = field(default_factory=list)

    @property
    def name(self) -> str:
        return self.ours.name

    def begin(self, world: World, mean_rps: float) -> None:
        if not self.running:
            self.ours.begin(world, mean_rps)
            return
        weights = {}
        for some in self.running:
            for _ in range(some.pods):
                pod = world.start(some.variant, some.allocation.size, ready=True)
                weights[pod.name] = round(1000 * some.allocation.capacity_rps)
        world.route(weights, at_once=True)
        self.ours.meet(world)
        self.act(world)

    def next_act_s(self, now_s: float) -> float:
        return self.ours.next_act_s(now_s)

    def act(self, world: World) -> None:
        self.ours.act(world)
        if self.ours.seen is not None:
            self.sights.append(sight_of(self.ours.seen))

    def queue_limits(self, world: World) -> Mapping[tuple[str, int], int] | None:
        return None


def sight_of(seen: Cycle) -> Sight:
    decision = seen.decision
    rest = getattr(getattr(seen, "progress", None), "rest", None)  # the earlier loop has none
    return Sight(
        at_s=seen.now_s,
        as_planned=is_as_planned(seen),
        rest=str(rest) if rest else "",
        planned_rps=decision.demand_rps if decision else 0.0,
        plan_changed=seen.plan_changed,
    )


def is_as_planned(seen: Cycle) -> bool:
    """
    From what was observed alone, so that no loop judges itself. Pods that never came are not in the
    way: a platform tries them again by itself.
    """
    if seen.decision is None or seen.observed is None or not seen.decision.plan.groups:
        return False
    planned = {
        (group.target, tuple(sorted(group.allocation.resources.items()))): group.pods
        for group in seen.decision.plan.groups
    }
    targets = {group.target for group in seen.decision.plan.groups}
    pods = [pod for pod in seen.observed.pods if not _never_came(pod, seen.now_s, targets)]
    there = Counter((pod.target, tuple(sorted(pod.resources.items()))) for pod in pods)
    return there == planned and all(pod.ready and not pod.leaving for pod in pods)


def _never_came(pod: Pod, now_s: float, planned: set[Target]) -> bool:
    if pod.ready or pod.leaving:
        return False
    is_old = now_s - pod.created_at_s > NEVER_CAME_S
    return pod.trouble is not None or (is_old and pod.target not in planned)


def played(state: State, seed: int = 0) -> Arrived:
    ours = Ours(service=state.service, cycle_s=state.cycle_s)
    watched = Watched(ours=ours, running=state.running)
    world = simulate(watched, state.scenario, state.workload, seed)
    later = [sight for sight in watched.sights if sight.at_s >= state.event_s]
    outcomes = world.traffic.outcomes()[world.traffic.arrivals_s >= state.event_s]
    is_there, rest = later[-1].as_planned, later[-1].rest
    missed = int((outcomes != ON_TIME).sum())
    held = holding(world.held, state.service.budget[CPU], state.event_s, world.seconds)
    return Arrived(
        state=state.name,
        reached_s=reached_s(later, state.event_s),
        longest_away_s=longest_away_s(later, world.seconds),
        end=", ".join(filter(None, [AS_PLANNED if is_there else "", rest])) or UNKNOWN,
        seconds_over_budget=held.seconds_over_budget,
        longest_over_budget_s=held.longest_over_budget_s,
        most_cores=held.peak_cores,
        missed=missed,
        missed_share=missed / max(1, len(outcomes)),
        plan_changes=sum(sight.plan_changed for sight in later),
        highest_planned_rps=max(sight.planned_rps for sight in later),
        starts_s=tuple(s for s in world.creations_s() if s >= state.event_s),
    )


def reached_s(sights: list[Sight], event_s: float) -> float | None:
    """Until it was there again, once the event had led away from it; 0 where it did not."""
    away = next((number for number, s in enumerate(sights) if not s.as_planned), None)
    if away is None:
        return 0.0
    return next((s.at_s - event_s for s in sights[away:] if s.as_planned), None)


def longest_away_s(sights: list[Sight], end_s: float) -> float:
    longest_s, since_s = 0.0, None
    for sight in sights:
        since_s = None if sight.as_planned else since_s if since_s is not None else sight.at_s
        longest_s = max(longest_s, sight.at_s - since_s if since_s is not None else 0.0)
    return max(longest_s, end_s - since_s if since_s is not None else 0.0)
