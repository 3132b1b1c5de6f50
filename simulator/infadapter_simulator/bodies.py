"""The Cluster, Router and Demand of the operator's `bodies`, on a simulated world."""

from collections.abc import Mapping

import numpy as np

from infadapter_operator.bodies import StepRefused
from infadapter_operator.demand import Delivered, History, NoData, Sample
from infadapter_operator.observed import Observed, Pod, Resize
from infadapter_operator.steps import RemovePods, ReplacePods, ResizePod, ScaleUp, SetWeights
from infadapter_simulator.world.pods import SimulatedPod
from infadapter_simulator.world.world import World
from infadapter_solver import Allocation, Target

REMEMBERED_S = 2 * 86_400.0
"""How much of what was before the run can be asked for: a day ago, and its errors."""


class SimulatedDemand:
    """What was scraped so far; each second is made a sample once."""

    def __init__(self, world: World) -> None:
        self._world = world
        self._known: list[Sample] = []
        self._counted: tuple[float, Mapping[str, tuple[int, int]]] = (0.0, {})

    async def history(self, window_s: float, now_s: float) -> History:
        end_s, rates = self._world.rates(self._unknown_s())
        at_s = np.arange(end_s - len(rates) + 1, end_s + 1)
        self._known += map(Sample._make, zip(at_s.tolist(), rates.tolist(), strict=True))
        if not self._known:
            raise NoData("Nothing was scraped yet.")
        return History(tuple(self._known[-int(window_s) :]))

    async def delivered(self, window_s: float, now_s: float) -> Mapping[str, Delivered]:
        """Since it was last asked for; of a pod that began anew meanwhile nothing is known."""
        (then_s, before), counts = self._counted, self._world.counts()
        self._counted, over_s = (now_s, counts), now_s - then_s
        return {
            pod: Delivered(
                (arrived - before[pod][0]) / over_s, (refused - before[pod][1]) / over_s, over_s
            )
            for pod, (arrived, refused) in counts.items()
            if over_s > 0 and arrived >= before.get(pod, (arrived + 1, 0))[0]
        }

    def _unknown_s(self) -> float:
        """How many seconds were scraped since the last that is known."""
        end_s, _ = self._world.rates(0)
        return end_s - self._known[-1].at_s if self._known else REMEMBERED_S


class SimulatedRouter:
    def __init__(self, world: World) -> None:
        self._world = world

    async def weights(self) -> Mapping[str, int]:
        return self._world.weights

    async def set_weights(self, step: SetWeights) -> None:
        self._world.route({backend.pod: backend.weight for backend in step.backends})


class SimulatedCluster:
    def __init__(self, world: World) -> None:
        self._world = world

    async def observe(self, now_s: float) -> Observed:
        pods = self._world.pods
        return Observed(
            pods=tuple(_seen(pod) for pod in pods),
            desired_pods={
                target: sum(pod.target == target and not pod.leaving for pod in pods)
                for target in {pod.target for pod in pods}
            },
        )

    async def take(self, step: ScaleUp | ResizePod | ReplacePods | RemovePods) -> None:
        """Raises StepRefused."""
        match step:
            case ScaleUp():
                self._start(step.target, step.allocation, step.pods - len(self._live(step.target)))
            case ResizePod():
                self._world.resize(self._pod(step.pod), step.allocation)
            case ReplacePods():
                same = [p for p in self._live(step.target) if p.wanted.size == step.allocation.size]
                self._start(step.target, step.allocation, step.pods - len(same))
            case RemovePods():
                for name in step.pods:
                    self._world.remove(self._pod(name))

    def _live(self, target: Target) -> list[SimulatedPod]:
        return [pod for pod in self._world.pods if pod.target == target and not pod.leaving]

    def _start(self, target: Target, allocation: Allocation, pods: int) -> None:
        for _ in range(pods):
            self._world.start(target.variant, allocation, kind=target.kind)

    def _pod(self, name: str) -> SimulatedPod:
        for pod in self._world.pods:
            if pod.name == name:
                return pod
        raise StepRefused(f"There is no pod {name}.")


def _seen(pod: SimulatedPod) -> Pod:
    is_resizing = pod.wanted.size != pod.allocation.size
    return Pod(
        name=pod.name,
        target=pod.target,
        resources=pod.allocation.resources,
        wanted=pod.wanted.resources,
        ready=pod.ready and not pod.leaving,
        created_at_s=pod.created_at_s,
        batch_size=pod.allocation.batch_size,
        address=pod.name,
        leaving=pod.leaving,
        resize=Resize.IN_PROGRESS if is_resizing else Resize.NONE,
    )
