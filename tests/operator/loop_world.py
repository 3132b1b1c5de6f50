"""The simulated cluster with a fluid load, and its ports, for the tests of the loop."""

from collections.abc import Callable

from infadapter_operator.domain.observed import Observed, Pod, RouterView
from infadapter_operator.domain.ports import LoadSource, StepRefused
from infadapter_operator.domain.service import Service
from infadapter_operator.domain.steps import (
    RemovePods,
    ReplacePods,
    ResizePod,
    ScaleUp,
    SetWeights,
    Step,
)
from infadapter_simulator.platform import SimulatedCluster, SimulatedLoad, SimulatedRouter
from infadapter_simulator.scenario import PodSpeed, Scenario
from infadapter_simulator.world import world
from infadapter_simulator.world.faults import Faults
from infadapter_simulator.world.fluid import Fluid
from infadapter_simulator.world.pods import SimulatedPod
from infadapter_solver.problem import CPU, PodSize, Target
from tests.operator.loop_arithmetic import Size, held, pod_rps, table_rps
from tests.operator.loop_contract import LINGER_S, RESIZE_S

BEGIN_S = 1000.0


class Speeds(dict[tuple[str, PodSize], PodSpeed]):
    """Speeds of pods of any size: an unmeasured size is as fast as the best row that fits in it."""

    def __init__(self, service: Service) -> None:
        super().__init__()
        self._service = service

    def __missing__(self, key: tuple[str, PodSize]) -> PodSpeed:
        variant, size = key
        rps = table_rps(self._service, Target(variant), size.resources, size.batch_size)
        return self.setdefault(key, PodSpeed(1, 1 / max(rps, 1e-3)))


class World(world.World):
    """The world as Cluster and Router. `refuses` may refuse a step; `taken` are the steps taken."""

    def __init__(
        self,
        service: Service,
        load: Callable[[float], float],
        *,
        began_s: float = 0.0,  # start of the load history
        confirm_s: float = 1.0,
        lag_s: float = 0.0,
        linger_s: float = LINGER_S,
        begin_s: float = BEGIN_S,
        faults: Faults | None = None,
    ) -> None:
        scenario = Scenario(
            variants=service.variants,
            speeds=Speeds(service),
            objective=service.objective,
            start_overhead_s=0.0,
            resize_s=RESIZE_S,
            scrape_lag_s=lag_s,
            weights_lag_s=confirm_s,
            drain_s=linger_s,
            faults=faults or Faults(),
        )
        self.service, self.fluid = service, Fluid(scenario, load, began_s)
        super().__init__(scenario, self.fluid, self.fluid.until)
        self.advance(begin_s)
        self.load: LoadSource = SimulatedLoad(self)
        self.refuses: Callable[[Step], StepRefused | None] = lambda _: None
        self.taken: list[tuple[float, Step]] = []
        self._cluster, self._router = SimulatedCluster(self), SimulatedRouter(self)

    async def observe(self, now_s: float) -> Observed:
        return self.seen()

    async def view(self) -> RouterView:
        return await self._router.view()

    async def take(self, step: ScaleUp | ResizePod | ReplacePods | RemovePods) -> None:
        if refusal := self.refuses(step):
            raise refusal
        if isinstance(step, RemovePods):
            lost = {pod.name for pod in self.pods if pod.is_lost}
            assert not self.weights.keys() & set(step.pods) - lost, f"{step} is sent requests"
        self.taken.append((self.now_s, step))
        await self._cluster.take(step)

    async def set_weights(self, step: SetWeights) -> None:
        ready = {pod.name for pod in self.shown() if pod.ready}
        assert {backend.pod for backend in step.backends} <= ready, "weights on Ready pods only"
        self.taken.append((self.now_s, step))
        await self._router.set_weights(step)

    def seen(self) -> Observed:
        return self._cluster.seen()

    def shown(self) -> tuple[Pod, ...]:
        """Return only the pods of `seen`, because the checks need them several times per cycle."""
        return self._cluster.pods()

    def add(self, variant: str, millicores: int, *, ready: bool = True) -> SimulatedPod:
        """Add a pod that exists before the loop starts."""
        return self.start(variant, PodSize(resources={CPU: millicores}), ready=ready)

    @property
    def room(self) -> Size:
        """The capacity of the only node."""
        most = self.scenario.faults.node_millicores
        return {CPU: 10**9 if most is None else most}

    def is_within_quota(self) -> bool:
        quota = self.scenario.faults.quota
        if quota is None or not quota.holds(self.now_s):
            return True
        return held(self.shown()).get(CPU, 0) <= quota.millicores

    def ready_rps(self) -> float:
        return sum(pod_rps(self.service, pod) for pod in self.shown() if pod.ready)

    def carried_rps(self) -> float:
        """Return the capacity of the Ready pods that the router sends to."""
        sent_to = self.router.weights
        ready = [pod for pod in self.shown() if pod.ready and pod.name in sent_to]
        return sum(pod_rps(self.service, pod) for pod in ready)
