"""
A small body in virtual time, for the tests of the loop: pods load for a while, resizes take a
second, the router obeys later, pods that are told to stop linger, and steps may be refused.

It checks, at every step and second, what must hold whatever the loop does.
"""

import itertools
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace

from infadapter_operator.acting.next_steps import has_no_node
from infadapter_operator.bodies import StepRefused
from infadapter_operator.decision import Decision
from infadapter_operator.demand import Delivered, DemandError, History, Sample
from infadapter_operator.observed import Observed, Pod, Resize
from infadapter_operator.planning.capacity import capacity_rps, largest, plus
from infadapter_operator.planning.problems import problem_for
from infadapter_operator.reconcile import Look, Memory, look
from infadapter_operator.service import Service
from infadapter_operator.steps import (
    RemovePods,
    ReplacePods,
    ResizePod,
    ScaleUp,
    SetWeights,
    Step,
)
from infadapter_solver import Allocation, Plan, PodGroup, Target, Variant, evaluate

RESIZE_S = 1.0
LINGER_S = 3.0


def sizes(rps_per_core: float, *millicores: int) -> tuple[Allocation, ...]:
    return tuple(
        Allocation(resources={"cpu": size}, capacity_rps=rps_per_core * size / 1000)
        for size in millicores
    )


SMALL = Variant(
    name="small", accuracy=0.70, load_time_s=2.0, allocations=sizes(20, 500, 1000, 2000, 4000)
)
MIDDLE = Variant(
    name="middle", accuracy=0.75, load_time_s=5.0, allocations=sizes(10, 500, 1000, 2000, 4000)
)
LARGE = Variant(
    name="large", accuracy=0.78, load_time_s=9.0, allocations=sizes(4, 1000, 2000, 4000)
)

EMPTY_PLAN = Plan(
    groups=(),
    served_rps={},
    accuracy=0.0,
    cost=0.0,
    cost_ratio=0.0,
    loading_s=0.0,
    objective=None,
    feasible=False,
)


def a_service(**changes: object) -> Service:
    """A valid one; a test changes what matters to it."""
    service = Service(
        namespace="vision",
        name="resnet",
        slo_s=0.75,
        percentile=99.0,
        variants=(SMALL, MIDDLE, LARGE),
        budget={"cpu": 8000},
        max_surge={"cpu": 8000},
        horizon_s=20.0,
        interval_s=10.0,
        stabilization_s=40.0,
    )
    return replace(service, **changes)  # type: ignore[arg-type]


def recall(
    service: Service, groups: tuple[PodGroup, ...], *, demand_rps: float, decided_at_s: float
) -> Decision:
    """A decision for these pods."""
    plan = evaluate(problem_for(service, Observed(), demand_rps), groups)
    return Decision(plan=plan, decided_at_s=decided_at_s, demand_rps=demand_rps)


@dataclass(slots=True, eq=False)
class Running:
    """A pod of the world."""

    name: str
    target: Target
    resources: dict[str, int]
    wanted: dict[str, int]
    created_at_s: float
    batch_size: int = 1
    ready_at_s: float = 0.0
    resized_at_s: float = float("inf")
    gone_at_s: float = float("inf")
    pending_since_s: float | None = None
    deferred_since_s: float | None = None

    @property
    def leaving(self) -> bool:
        return self.gone_at_s < float("inf")


@dataclass(slots=True, kw_only=True)
class World:
    """
    `load` gives the rate at a time; `template_first` makes later pods come up at the first one's
    size, as a Deployment does; `refuses` may refuse a step.
    """

    service: Service
    load: Callable[[float], float]
    now_s: float = 1000.0
    began_s: float = 0.0  # of the history
    confirm_s: float = 1.0
    node: Mapping[str, int] = field(default_factory=lambda: {"cpu": 10**9})
    broken_data: Callable[[float], bool] = lambda _: False
    refuses: Callable[[Step], StepRefused | None] = lambda _: None
    delivers: float = 1.0  # of what the profiles promise
    pods: list[Running] = field(default_factory=list)
    desired: dict[Target, int] = field(default_factory=dict)
    templates: dict[Target, Allocation] = field(default_factory=dict)
    rolled_at_s: dict[Target, float] = field(default_factory=dict)
    untouchable: frozenset[Target] = frozenset()
    weights: dict[str, int] = field(default_factory=dict)
    sent: list[tuple[float, dict[str, int]]] = field(default_factory=list)
    taken: list[tuple[float, Step]] = field(default_factory=list)
    names: Iterable[int] = field(default_factory=itertools.count)

    # --- Demand, Cluster, Router -------------------------------------------------------------

    async def history(self, window_s: float, now_s: float) -> History:
        if self.broken_data(now_s):
            raise DemandError("the tests broke it")
        start_s = max(self.began_s, now_s - window_s)
        seconds = range(int(start_s) + 1, int(now_s) + 1)
        return History(tuple(Sample(float(at), self.load(at)) for at in seconds))

    async def delivered(self, window_s: float, now_s: float) -> Mapping[str, Delivered]:
        """Each Ready pod got its share, and answered `delivers` of its capacity at most."""
        total = sum(self.weights.values())
        seconds = [max(self.began_s, now_s - back_s) for back_s in range(int(window_s))]
        rps = sum(map(self.load, seconds)) / len(seconds)
        sent = {
            pod: rps * self.weights.get(pod.name, 0) / total
            for pod in self.pods
            if total and self._is_ready(pod)
        }
        return {
            pod.name: Delivered(sent_rps, max(0.0, sent_rps - able_rps), window_s)
            for pod, sent_rps in sent.items()
            for able_rps in [self.delivers * self._capacity(pod)]
        }

    def _capacity(self, pod: Running) -> float:
        return capacity_rps(self.service, self._seen(pod))

    async def observe(self, now_s: float) -> Observed:
        return Observed(
            pods=tuple(self._seen(pod) for pod in self.pods),
            desired_pods=dict(self.desired),
            templates=dict(self.templates),
            untouchable=self.untouchable,
            rolling=frozenset(t for t in self.rolled_at_s if self._stale(t)),
        )

    async def weights_now(self) -> Mapping[str, int]:
        return dict(self.weights)

    async def take(self, step: ScaleUp | ResizePod | ReplacePods | RemovePods) -> None:
        refusal = self.refuses(step)
        if refusal is not None:
            raise refusal
        assert step.target not in self.untouchable, f"{step} is not ours to take"
        self.taken.append((self.now_s, step))
        match step:
            case ScaleUp():
                self._scale_up(step)
            case ResizePod():
                pod = next(pod for pod in self.pods if pod.name == step.pod)
                pod.wanted = dict(step.allocation.resources)
                pod.resized_at_s = self.now_s + RESIZE_S
                pod.deferred_since_s = None
            case ReplacePods():
                self.templates[step.target] = step.allocation
                self.rolled_at_s[step.target] = self.now_s
            case RemovePods():
                self.desired[step.target] = step.remaining
                for pod in self.pods:
                    if pod.name in step.pods and not pod.leaving:
                        assert not self.weights.get(pod.name), f"{step} is sent requests"
                        pod.gone_at_s = self.now_s + LINGER_S

    async def set_weights(self, step: SetWeights) -> None:
        ready = {pod.name for pod in self.pods if self._is_ready(pod)}
        assert {backend.pod for backend in step.backends} <= ready, "weights on Ready pods only"
        self.taken.append((self.now_s, step))
        self.sent.append((self.now_s, {b.pod: b.weight for b in step.backends if b.weight}))

    # --- time --------------------------------------------------------------------------------

    def pass_s(self, seconds: float) -> None:
        """Time passes, a second at a time, with what it brings."""
        until_s = self.now_s + seconds
        while self.now_s < until_s - 1e-9:
            self.now_s += min(1.0, until_s - self.now_s)
            self._roll()
            self.pods = [pod for pod in self.pods if pod.gone_at_s > self.now_s]
            for pod in self.pods:
                self._schedule(pod)
                self._resize(pod)
            for sent_s, weights in self.sent:
                if sent_s + self.confirm_s <= self.now_s:
                    self.weights = weights
            self.sent = [one for one in self.sent if one[0] + self.confirm_s > self.now_s]

    # --- what must hold ----------------------------------------------------------------------

    def carried_rps(self) -> float:
        """What the pods that the router sends to serve."""
        return sum(
            capacity_rps(self.service, self._seen(pod))
            for pod in self.pods
            if self._is_ready(pod) and self.weights.get(pod.name)
        )

    def held(self) -> dict[str, int]:
        total: dict[str, int] = {}
        for pod in self.pods:
            total = plus(total, largest(pod.resources, pod.wanted))
        return total

    def counted_pods(self) -> dict[tuple[Target, tuple[tuple[str, int], ...]], int]:
        counts: dict[tuple[Target, tuple[tuple[str, int], ...]], int] = {}
        for pod in self.pods:
            key = (pod.target, tuple(sorted(pod.resources.items())))
            counts[key] = counts.get(key, 0) + 1
        return counts

    def add(self, target: Target, resources: Mapping[str, int], **changes: object) -> Running:
        """A pod that runs already."""
        pod = self.make(target, dict(resources))
        pod.ready_at_s = self.now_s
        for name, value in changes.items():
            setattr(pod, name, value)
        self.pods.append(pod)
        self.desired[target] = self.desired.get(target, 0) + 1
        size = Allocation(resources=dict(resources), capacity_rps=0.0)
        self.templates.setdefault(target, size)
        return pod

    def _scale_up(self, step: ScaleUp) -> None:
        live = [p for p in self.pods if p.target == step.target and not p.leaving]
        if not live:
            self.templates[step.target] = step.allocation
        self.desired[step.target] = step.pods
        size = self.templates[step.target].resources
        for _ in range(step.pods - len(live)):
            self.pods.append(self.make(step.target, dict(size)))

    def _schedule(self, pod: Running) -> None:
        if pod.pending_since_s is not None and self._fits(pod.wanted, besides=pod):
            pod.ready_at_s += self.now_s - pod.pending_since_s
            pod.pending_since_s = None

    def _resize(self, pod: Running) -> None:
        if pod.resized_at_s > self.now_s:
            return
        if self._fits(pod.wanted, besides=pod):
            pod.resources, pod.resized_at_s = dict(pod.wanted), float("inf")
            pod.deferred_since_s = None
        elif pod.deferred_since_s is None:
            pod.deferred_since_s = self.now_s

    def _fits(self, size: Mapping[str, int], besides: Running) -> bool:
        used = dict(size)
        for pod in self.pods:
            if pod is not besides and pod.pending_since_s is None:
                used = plus(used, pod.resources)
        return all(amount <= self.node.get(name, 0) for name, amount in used.items())

    def _roll(self) -> None:
        """As a Deployment does: one new pod at a time; an old one goes when it is Ready a while."""
        for target in self.rolled_at_s:
            size = self.templates[target]
            own = [p for p in self.pods if p.target == target and not p.leaving]
            stale = self._stale(target)
            if stale and len(own) == self.desired[target]:
                fresh = self.make(target, dict(size.resources))
                fresh.batch_size = size.batch_size
                self.pods.append(fresh)
            elif stale and all(self._is_ready(p) and p.ready_at_s + 10 <= self.now_s for p in own):
                stale[0].gone_at_s = self.now_s + LINGER_S

    def _stale(self, target: Target) -> list[Running]:
        own = [p for p in self.pods if p.target == target and not p.leaving]
        return [p for p in own if p.created_at_s < self.rolled_at_s[target]]

    def make(self, target: Target, size: dict[str, int]) -> Running:
        variant = next((v for v in self.service.variants if v.name == target.variant), None)
        pod = Running(
            name=f"{target.variant}-{next(iter(self.names))}",
            target=target,
            resources=dict(size),
            wanted=dict(size),
            created_at_s=self.now_s,
            ready_at_s=self.now_s + (variant.load_time_s if variant else 0.0),
        )
        pod.pending_since_s = None if self._fits(size, besides=pod) else self.now_s
        return pod

    def _is_ready(self, pod: Running) -> bool:
        loaded = pod.pending_since_s is None and pod.ready_at_s <= self.now_s
        return loaded and not pod.leaving

    def _seen(self, pod: Running) -> Pod:
        resize = Resize.NONE if pod.resources == pod.wanted else Resize.IN_PROGRESS
        return Pod(
            name=pod.name,
            target=pod.target,
            resources=dict(pod.resources),
            wanted=dict(pod.wanted),
            ready=self._is_ready(pod),
            created_at_s=pod.created_at_s,
            batch_size=pod.batch_size,
            address=f"{pod.name}:80",
            leaving=pod.leaving,
            unschedulable_since_s=pod.pending_since_s,
            resize=resize if pod.deferred_since_s is None else Resize.DEFERRED,
            resize_since_s=pod.deferred_since_s,
        )


class WorldRouter:
    """The world's router: `weights` is a field of the world, so the protocol's method is here."""

    def __init__(self, world: World) -> None:
        self._world = world

    async def weights(self) -> Mapping[str, int]:
        return await self._world.weights_now()

    async def set_weights(self, step: SetWeights) -> None:
        await self._world.set_weights(step)


@dataclass(slots=True, kw_only=True)
class Runner:
    """Looks at the world every `every_s`, and checks the invariants between looks."""

    world: World
    every_s: float = 1.0
    memory: Memory = field(default_factory=Memory)
    looks: list[Look] = field(default_factory=list)

    async def look(self) -> Look:
        world = self.world
        seen = await look(world.service, self.memory, world, world, WorldRouter(world), world.now_s)
        self.memory = seen.memory
        self.looks.append(seen)
        return seen

    async def run(self, seconds: float) -> list[Look]:
        first = len(self.looks)
        until_s = self.world.now_s + seconds
        while self.world.now_s < until_s - 1e-9:
            before_rps = self.world.carried_rps()
            await self.look()
            self.world.pass_s(self.every_s)
            self._check(before_rps)
        return self.looks[first:]

    def restart(self) -> None:
        """The operator forgets all but the decision, as it stands in the status."""
        self.memory = Memory(decision=self.memory.decision)

    def _check(self, before_rps: float) -> None:
        """Weights are obeyed `confirm_s` after they were set, so for the demand of back then."""
        world = self.world
        since_s = world.now_s - world.confirm_s - self.every_s - 1.0
        recent = [seen for seen in self.looks if seen.now_s >= since_s]
        asked_rps = min(map(_asked_rps, recent))
        if before_rps < asked_rps and any(
            seen.observed and has_no_node(seen.observed) for seen in recent
        ):
            return  # too little serves, and what would serve enough waits for room
        least_rps = min(before_rps, asked_rps)
        after_rps = world.carried_rps()
        seen = self.looks[-1]
        assert after_rps >= least_rps - 1e-6, (
            f"at {world.now_s:.0f} s {after_rps:.1f} rps are served, before {before_rps:.1f}, "
            f"asked {asked_rps}: {seen.steps}"
        )
        may = plus(world.service.budget, world.service.max_surge)
        for name, amount in world.held().items():
            assert amount <= may.get(name, 0), f"{amount} {name} of {may}: {seen.steps}"
        total = sum(seen.shares.values())
        assert not seen.shares or abs(total - 1.0) < 1e-9, f"shares sum to {total}"


def _asked_rps(seen: Look) -> float:
    """In doubt, what the plan was made for."""
    if seen.demand_rps is not None:
        return seen.demand_rps
    return seen.decision.demand_rps if seen.decision else 0.0
