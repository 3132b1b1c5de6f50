"""
A small platform in virtual time, for the tests of the loop: pods load for a while, resizes take a
second, the router obeys later, pods that are told to stop linger, and steps may be refused. Pods
may never come, nodes may be full or lost, resizes may wait or fail.

It checks, at every step and second, what must hold whatever the loop does, by its own arithmetic.
"""

import itertools
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field

from infadapter_operator.domain.decision import Decision
from infadapter_operator.domain.load import Delivered, History, LoadError, Sample
from infadapter_operator.domain.observed import Cause, Observed, Pod, Resize, RouterView, Trouble
from infadapter_operator.domain.ports import Ports, StepRefused
from infadapter_operator.domain.service import Service
from infadapter_operator.domain.situation import State
from infadapter_operator.domain.steps import (
    RemovePods,
    ReplacePods,
    ResizePod,
    ScaleUp,
    SetWeights,
    Step,
)
from infadapter_operator.reconcile import Cycle, reconcile
from infadapter_solver import (
    Objective,
    PodGroup,
    PodSize,
    Problem,
    Target,
    evaluate,
)
from infadapter_solver.candidates import LEAST_DEMAND_RPS
from tests.operator.loop_arithmetic import equal, held, pod_rps, total, within
from tests.operator.loop_contract import Contract

RESIZE_S = 1.0
LINGER_S = 3.0
OBEYED_WITHIN_S = 15.0  # weights that were replaced before they were confirmed may be obeyed yet
FOR_EVER_S = 1e12
EVICTED_S = 300.0  # then the pods of a node that does not answer are told to go
TOLD_S = 2.0  # after this long the platform says what is wrong with a pod


def recall(
    service: Service, groups: tuple[PodGroup, ...], *, demand_rps: float, decided_at_s: float
) -> Decision:
    """A decision for these pods."""
    problem = Problem(
        variants=service.variants,
        demand_rps=max(demand_rps, LEAST_DEMAND_RPS),
        min_replicas=service.min_replicas,
        objective=Objective(
            budget=service.budget,
            prices=service.objective.prices,
            accuracy_weight=service.objective.accuracy_weight,
            cost_weight=service.objective.cost_weight,
            loading_weight=service.objective.loading_weight,
        ),
    )
    plan = evaluate(problem, groups)
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
    lost_since_s: float | None = None  # its node does not answer
    trouble: Cause | None = None  # it never becomes Ready
    fate: Resize = Resize.NONE  # what becomes of every attempt to grow it

    @property
    def leaving(self) -> bool:
        return self.gone_at_s < float("inf")


@dataclass(slots=True, kw_only=True)
class World:
    """
    `load` gives the rate at a time; later pods come up at the first one's size, as those of a
    Deployment do; `refuses` may refuse a step. Pods of the variants in `never` do not come, and
    say why; `fates` is what becomes of growing a variant's pods; the last scrape is `lag_s` old.
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
    never: Mapping[str, Cause] = field(default_factory=dict)
    fates: Mapping[str, Resize] = field(default_factory=dict)
    lag_s: float = 0.0
    pods: list[Running] = field(default_factory=list)
    desired: dict[Target, int] = field(default_factory=dict)
    templates: dict[Target, PodSize] = field(default_factory=dict)
    rolled_at_s: dict[Target, float] = field(default_factory=dict)
    untouchable: frozenset[Target] = frozenset()
    weights: dict[str, int] = field(default_factory=dict)
    sent: list[tuple[float, dict[str, int]]] = field(default_factory=list)
    taken: list[tuple[float, Step]] = field(default_factory=list)
    names: Iterable[int] = field(default_factory=itertools.count)

    # --- Demand, Cluster, Router -------------------------------------------------------------

    async def history(self, window_s: float, now_s: float) -> History:
        if self.broken_data(now_s):
            raise LoadError("the tests broke it")
        start_s = max(self.began_s, now_s - window_s)
        seconds = range(int(start_s - self.lag_s) + 1, int(now_s - self.lag_s) + 1)
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
        return pod_rps(self.service, self._seen(pod))

    async def observe(self, now_s: float) -> Observed:
        return self.seen()

    def seen(self) -> Observed:
        return Observed(
            pods=tuple(self._seen(pod) for pod in self.pods),
            desired_pods=dict(self.desired),
            templates=dict(self.templates),
            untouchable=self.untouchable,
            rolling=frozenset(t for t in self.rolled_at_s if self._stale(t)),
            refusals=self._refusals(),
            digests={Target(v.name): f"{v.name}-1" for v in self.service.variants},
        )

    def _refusals(self) -> dict[Target, Trouble]:
        refused = [t for t in self.desired if self.never.get(t.variant) is Cause.REFUSED]
        return {
            target: Trouble(cause=Cause.REFUSED, message="exceeded quota", since_s=self.began_s)
            for target in refused
            if self.desired[target] > sum(not p.leaving for p in self.pods if p.target == target)
        }

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
                pod.wanted = dict(step.size.resources)
                pod.resized_at_s = self.now_s + RESIZE_S
                pod.deferred_since_s = None
                if equal(pod.wanted, pod.resources):
                    pod.resized_at_s = float("inf")
            case ReplacePods():
                self.templates[step.target] = step.size
                self.rolled_at_s[step.target] = self.now_s
            case RemovePods():
                self._remove(step)

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
            self._evict()
            for target in list(self.desired):
                self._recreate(target)
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
            self._capacity(pod)
            for pod in self.pods
            if self._is_ready(pod) and self.weights.get(pod.name)
        )

    def ready_rps(self) -> float:
        return sum(self._capacity(pod) for pod in self.pods if self._is_ready(pod))

    def held(self) -> dict[str, int]:
        return held(map(self._seen, self.pods))

    def lose_node_of(self, pod: Running) -> None:
        """Nobody knows whether it runs; removed, it is never seen to go."""
        pod.lost_since_s = self.now_s

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
        size = PodSize(resources=dict(resources))
        self.templates.setdefault(target, size)
        return pod

    def _scale_up(self, step: ScaleUp) -> None:
        live = [p for p in self.pods if p.target == step.target and not p.leaving]
        if not live:
            self.templates[step.target] = step.size
        self.desired[step.target] = step.pods
        self._recreate(step.target)

    def _remove(self, step: RemovePods) -> None:
        self.desired[step.target] = step.remaining
        for pod in self.pods:
            if pod.name in step.pods and not pod.leaving:
                assert not self._is_sent_to(pod), f"{step} is sent requests"
                lost = pod.lost_since_s is not None
                pod.gone_at_s = FOR_EVER_S if lost else self.now_s + LINGER_S
        self._recreate(step.target)

    def _evict(self) -> None:
        for pod in self.pods:
            if pod.lost_since_s is not None and pod.lost_since_s + EVICTED_S <= self.now_s:
                pod.gone_at_s = FOR_EVER_S

    def _recreate(self, target: Target) -> None:
        """There are as many pods as are desired, unless the platform makes no more."""
        if target not in self.templates or self.never.get(target.variant) is Cause.REFUSED:
            return
        live = sum(p.target == target and not p.leaving for p in self.pods)
        size = self.templates[target].resources
        for _ in range(self.desired.get(target, 0) - live):
            self.pods.append(self.make(target, dict(size)))

    def _is_sent_to(self, pod: Running) -> bool:
        return bool(self.weights.get(pod.name)) and pod.lost_since_s is None

    def _schedule(self, pod: Running) -> None:
        if pod.trouble is Cause.NO_NODE:
            return
        if pod.pending_since_s is not None and self._fits(pod.wanted, besides=pod):
            pod.ready_at_s += self.now_s - pod.pending_since_s
            pod.pending_since_s = None

    def _resize(self, pod: Running) -> None:
        if pod.resized_at_s > self.now_s:
            return
        grows = not within(pod.wanted, pod.resources)
        hindered = grows and pod.fate is not Resize.NONE
        if not hindered and self._fits(pod.wanted, besides=pod):
            pod.resources, pod.resized_at_s = dict(pod.wanted), float("inf")
            pod.deferred_since_s = None
        elif pod.deferred_since_s is None:
            pod.deferred_since_s = self.now_s

    def _fits(self, size: Mapping[str, int], besides: Running) -> bool:
        there = [
            pod.resources
            for pod in self.pods
            if pod is not besides and pod.pending_since_s is None and pod.lost_since_s is None
        ]
        return within(total([size, *there]), self.node)

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
        pod.trouble = self.never.get(target.variant)
        pod.fate = self.fates.get(target.variant, Resize.NONE)
        comes = pod.trouble is not Cause.NO_NODE and self._fits(size, besides=pod)
        pod.pending_since_s = None if comes else self.now_s
        return pod

    def _is_ready(self, pod: Running) -> bool:
        loaded = pod.pending_since_s is None and pod.ready_at_s <= self.now_s
        works = pod.trouble is None and pod.lost_since_s is None
        return loaded and works and not pod.leaving

    def _seen(self, pod: Running) -> Pod:
        return Pod(
            name=pod.name,
            target=pod.target,
            size=PodSize(resources=dict(pod.resources), batch_size=pod.batch_size),
            wanted=PodSize(resources=dict(pod.wanted), batch_size=pod.batch_size),
            ready=self._is_ready(pod),
            created_at_s=pod.created_at_s,
            address=f"{pod.name}:80",
            leaving=pod.leaving,
            unschedulable_since_s=pod.pending_since_s,
            resize=_resize_of(pod),
            resize_since_s=pod.deferred_since_s,
            trouble=self._trouble_of(pod),
        )

    def _trouble_of(self, pod: Running) -> Trouble | None:
        cause, since_s = pod.trouble, pod.created_at_s + TOLD_S
        if pod.lost_since_s is not None:
            cause, since_s = Cause.NODE_LOST, pod.lost_since_s
        elif pod.pending_since_s is not None:
            cause, since_s = Cause.NO_NODE, pod.pending_since_s
        if cause in (None, Cause.NOT_READY) or since_s > self.now_s:
            return None  # that a pod is not Ready nobody calls a trouble
        return Trouble(cause=cause, message=f"{pod.name} does not come", since_s=since_s)


def _resize_of(pod: Running) -> Resize:
    if pod.resources == pod.wanted:
        return Resize.NONE
    if pod.deferred_since_s is None:
        return Resize.IN_PROGRESS
    return Resize.DEFERRED if pod.fate is Resize.NONE else pod.fate


class WorldRouter:
    """The world's router: `weights` is a field of the world, so the protocol's method is here."""

    def __init__(self, world: World) -> None:
        self._world = world

    async def view(self) -> RouterView:
        """It obeys in order, and late: all that it was sent may yet be in force."""
        late = [weights for _, weights in self._world.sent]
        obeys = await self._world.weights_now()
        sent = late[-1] if late else None
        return RouterView(obeys=obeys, sent=sent, may_obey=frozenset(p for w in late for p in w))

    async def set_weights(self, step: SetWeights) -> None:
        await self._world.set_weights(step)


@dataclass(slots=True, kw_only=True)
class Runner:
    """Looks at the world every `every_s`, and checks the invariants between looks."""

    world: World
    every_s: float = 1.0
    state: State = field(default_factory=State)
    looks: list[Cycle] = field(default_factory=list)
    contract: Contract = field(init=False)

    def __post_init__(self) -> None:
        self.contract = contract_for(self.world, self.every_s)

    async def look(self) -> Cycle:
        world = self.world
        ports = Ports(world, world, WorldRouter(world))
        seen = await reconcile(world.service, self.state, ports, world.now_s)
        self.state = seen.state
        self.looks.append(seen)
        return seen

    async def run(self, seconds: float) -> list[Cycle]:
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
        self.state = State(decision=self.state.decision)

    def _check(self, before_rps: float) -> None:
        """Weights are obeyed `confirm_s` after they were set, so for the demand of back then."""
        world = self.world
        self.contract.service = world.service
        self.contract.check(self.looks, world.now_s, before_rps, world.carried_rps())
        self.contract.check_held(world.seen().pods, self.looks)


def contract_for(world: World, every_s: float) -> Contract:
    """What is started takes as long as the slowest variant."""
    slowest_s = max(variant.load_time_s for variant in world.service.variants)
    late_s = OBEYED_WITHIN_S if world.confirm_s > every_s else 0.0
    once_s = slowest_s + world.confirm_s + late_s + LINGER_S + RESIZE_S
    return Contract(
        service=world.service,
        node=world.node,
        lag_s=world.confirm_s + every_s + 1.0,
        period_s=once_s + 5 * every_s,
    )
