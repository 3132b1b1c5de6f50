"""
Initial states and faults of rollouts: a case in plain numbers, and strategies that draw cases.

A failing test prints Python that can be pasted as an `@example`.
"""

from dataclasses import dataclass, field, replace

from hypothesis import strategies as st

from infadapter_operator.domain.decision import Decision
from infadapter_operator.domain.observed import Cause, Resize
from infadapter_operator.domain.service import Service
from infadapter_simulator.world.faults import Faults, Spell
from infadapter_solver.problem import CPU, Allocation, PodGroup, PodSize, Target, Variant
from tests.builders import a_service, recall
from tests.operator.loop_world import BEGIN_S, World

PINNED_S = 3600.0  # the interval, within which a plan is only replaced if it cannot be reached


@dataclass(frozen=True, slots=True)
class Kind:
    """A variant: its load time, and its capacity by millicores. Later kinds are more accurate."""

    load_s: float
    rps: dict[int, float] = field(hash=False)


@dataclass(frozen=True, slots=True)
class Group:
    kind: int
    millicores: int
    pods: int
    batch_size: int = 1


@dataclass(frozen=True, slots=True)
class There:
    """A pod that exists at the beginning."""

    kind: int
    millicores: int
    ready: bool = True
    carries: bool = True
    lost: bool = False
    batch_size: int = 1


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    """
    The beginning of a rollout and its faults. Each of `plans` is in force for one cycle, the last
    one from then on. `never` and `fates`: failing starts and resizes, by kind.
    """

    kinds: tuple[Kind, ...]
    plans: tuple[tuple[Group, ...], ...]
    there: tuple[There, ...] = ()
    demand_rps: float
    budget: int
    surge: int
    node: int = 10**9
    confirm_s: float = 1.0
    lag_s: float = 0.0
    never: dict[int, Cause] = field(default_factory=dict)
    fates: dict[int, Resize] = field(default_factory=dict)


def name_of(kind: int) -> str:
    return f"v{kind}"


def service_of(case: Case) -> Service:
    return a_service(
        variants=tuple(
            Variant(
                name=name_of(index),
                accuracy=0.6 + 0.05 * index,
                load_time_s=kind.load_s,
                allocations=tuple(
                    _row(kind, size, batch_size)
                    for batch_size in _batch_sizes(case)
                    for size in sorted(kind.rps)
                ),
            )
            for index, kind in enumerate(case.kinds)
        ),
        budget={CPU: case.budget},
        max_surge={CPU: case.surge},
        interval_s=PINNED_S,
    )


def world_of(case: Case) -> World:
    world = World(
        service=service_of(case),
        load=lambda _: case.demand_rps,
        began_s=BEGIN_S - 100.0,
        confirm_s=case.confirm_s,
        lag_s=case.lag_s,
        faults=faults_of(case),
    )
    pods = [
        world.start(name_of(one.kind), _size(one.millicores, one.batch_size), ready=one.ready)
        for one in case.there
    ]
    carries = [pod for pod, one in zip(pods, case.there, strict=True) if one.ready and one.carries]
    if carries:
        world.route({pod.name: 100 for pod in carries}, at_once=True)
    for pod, one in zip(pods, case.there, strict=True):
        if one.lost:
            world.lose_node_of(pod)
    return world


def faults_of(case: Case) -> Faults:
    """Return the faults. Those of starts begin too late for pods that exist at the beginning."""
    never = [
        Spell(variant=name_of(kind), from_s=BEGIN_S + 0.01, cause=cause, message="no")
        for kind, cause in case.never.items()
    ]
    elsewhere = (Cause.NO_NODE, Cause.REFUSED)
    return Faults(
        node_millicores=case.node,
        never_ready=tuple(spell for spell in never if spell.cause not in elsewhere),
        unschedulable=tuple(spell for spell in never if spell.cause is Cause.NO_NODE),
        refused=tuple(spell for spell in never if spell.cause is Cause.REFUSED),
        stuck_resizes=tuple(
            Spell(variant=name_of(kind), resize=fate) for kind, fate in case.fates.items()
        ),
    )


def decisions_of(case: Case) -> list[Decision]:
    service = service_of(case)
    return [
        recall(
            service,
            tuple(
                PodGroup(
                    target=Target(name_of(g.kind)),
                    allocation=_row(case.kinds[g.kind], g.millicores, g.batch_size),
                    pods=g.pods,
                )
                for g in plan
            ),
            demand_rps=1.001 * case.demand_rps + 0.01,
            decided_at_s=BEGIN_S,
        )
        for plan in case.plans
    ]


def _row(kind: Kind, millicores: int, batch_size: int) -> Allocation:
    """Return an allocation. With larger batches, pods serve a tenth more."""
    gain = 1.0 if batch_size == 1 else 1.1
    rps = gain * kind.rps[millicores]
    return Allocation(size=_size(millicores, batch_size), capacity_rps=rps)


def _size(millicores: int, batch_size: int) -> PodSize:
    return PodSize(resources={CPU: millicores}, batch_size=batch_size)


def _batch_sizes(case: Case) -> list[int]:
    """Return the batch sizes of the case. No others are offered, lest plans change to them."""
    planned = {group.batch_size for plan in case.plans for group in plan}
    return sorted({1, *planned, *(one.batch_size for one in case.there)})


# --- strategies ------------------------------------------------------------------------------

SIZES = (200, 400, 600, 1000, 2000)


@st.composite
def kinds(draw: st.DrawFn) -> Kind:
    sizes = draw(st.lists(st.sampled_from(SIZES), min_size=1, max_size=4, unique=True))
    a_core_rps = draw(st.sampled_from([4.0, 20.0, 55.0, 111.8, 216.5, 391.75]))
    load_s = draw(st.sampled_from([0.1, 1.0, 3.0, 10.0]))
    return Kind(load_s, {size: round(a_core_rps * size / 1000, 2) for size in sorted(sizes)})


@st.composite
def plans(draw: st.DrawFn, kinds: tuple[Kind, ...], most_pods: int) -> tuple[Group, ...]:
    chosen = draw(st.lists(st.integers(0, len(kinds) - 1), min_size=1, max_size=3, unique=True))
    return tuple(
        Group(kind, draw(st.sampled_from(sorted(kinds[kind].rps))), draw(st.integers(1, most_pods)))
        for kind in sorted(chosen)
    )


@st.composite
def pods_there(draw: st.DrawFn, kinds: tuple[Kind, ...], room: int) -> tuple[There, ...]:
    """Draw pods that fit into `room` millicores, some of a size that is not measured."""
    there = []
    for _ in range(draw(st.integers(0, 8))):
        kind = draw(st.integers(0, len(kinds) - 1))
        size = draw(st.sampled_from([*sorted(kinds[kind].rps), *sorted(kinds[kind].rps), 800]))
        ready = draw(st.sampled_from([True, True, True, False]))
        carries = ready and draw(st.sampled_from([True, True, False]))
        if size <= room:
            there.append(There(kind, size, ready, carries))
            room -= size
    return tuple(there)


@st.composite
def cases(
    draw: st.DrawFn,
    *,
    overloaded: bool = False,
    changing: bool = False,
    full: bool = False,
    most_pods: int = 8,
) -> Case:
    """Draw cases without faults. `full`: the node has little more room than the plan needs."""
    some = tuple(draw(st.lists(kinds(), min_size=1, max_size=4)))
    most_plans = 6 if changing else 1
    all_plans = draw(st.lists(plans(some, most_pods), min_size=1, max_size=most_plans))
    most = max(sum(g.millicores * g.pods for g in plan) for plan in all_plans)
    budget = most + draw(st.sampled_from([0, 0, 200, 1000]))
    surge = draw(st.sampled_from([0, 200, 500, 1000, 2000, budget]))
    there = draw(pods_there(some, budget + surge))
    serves_rps = sum(some[g.kind].rps[g.millicores] * g.pods for g in all_plans[-1])
    shares = [1.05, 1.3, 2.0] if overloaded else [0.0, 0.3, 0.7, 0.9, 0.99]
    needed = max(most, sum(one.millicores for one in there))
    return Case(
        kinds=some,
        plans=tuple(all_plans),
        there=there,
        demand_rps=round(serves_rps * draw(st.sampled_from(shares)), 2),
        budget=budget,
        surge=surge,
        node=needed + draw(st.sampled_from([0, 200, 1000])) if full else 10**9,
        confirm_s=draw(st.sampled_from([0.0, 1.0, 1.0, 4.0])),
        lag_s=draw(st.sampled_from([0.0, 0.0, 2.0])),
    )


@st.composite
def rolled(draw: st.DrawFn) -> Case:
    """Draw cases in which most pods must be replaced because of their batch size."""
    case = draw(cases(overloaded=draw(st.booleans())))
    (plan,) = case.plans
    batch_size = draw(st.sampled_from([1, 4]))
    first = replace(plan[0], batch_size=batch_size)
    surge = draw(st.sampled_from([0, 0, 200, 1000, case.surge]))
    one = There(first.kind, first.millicores, batch_size=5 - batch_size)
    room = (case.budget + surge) // first.millicores
    old = (one,) * min(room, draw(st.integers(1, first.pods + 1)))
    left = case.budget + surge - len(old) * first.millicores
    others = draw(pods_there(case.kinds, left)) if left else ()
    return replace(case, plans=((first, *plan[1:]),), there=(*old, *others), surge=surge)


NEVER = (
    Cause.NO_NODE,
    Cause.REFUSED,
    Cause.IMAGE,
    Cause.CONFIG,
    Cause.CRASH,
    Cause.NOT_READY,
)


@st.composite
def troubled(draw: st.DrawFn) -> Case:
    """Draw cases with pods that never become Ready, stuck resizes, and full or lost nodes."""
    case = draw(cases(overloaded=draw(st.booleans()), most_pods=4))
    some = st.integers(0, len(case.kinds) - 1)
    held = sum(one.millicores for one in case.there)
    fates = st.sampled_from([Resize.DEFERRED, Resize.FAILING, Resize.REFUSED])
    full = draw(st.sampled_from([False, False, True]))
    lost = draw(st.sampled_from([False, False, True]))
    return replace(
        case,
        never=draw(st.dictionaries(some, st.sampled_from(NEVER), max_size=2)),
        fates=draw(st.dictionaries(some, fates, max_size=2)),
        node=held + draw(st.sampled_from([0, 200, 1000])) if full else 10**9,
        there=tuple(replace(one, lost=lost and index == 0) for index, one in enumerate(case.there)),
    )
