"""Pods that never change; only their traffic weights follow the load."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from infadapter_operator.domain.load import Sample
from infadapter_operator.planning.rates import WINDOWS_S, rate_now_rps
from infadapter_operator.rollout.traffic_split import Candidate, weights_for
from infadapter_profiles.sizes import Segment
from infadapter_simulator.policies.fleet import started
from infadapter_simulator.world.metrics import scraped_rates
from infadapter_simulator.world.pods import SimulatedPod
from infadapter_simulator.world.world import World
from infadapter_solver import CPU, PodGroup

CYCLE_S = 2.0
"""Time between changes of the weights, s."""


@dataclass(slots=True)
class StaticPlan:
    """
    A static set of pods. The operator's own rule shares the requests: by accuracy, at the current
    rate.
    """

    groups: tuple[PodGroup, ...]
    _sent: Mapping[str, int] = field(default_factory=dict, init=False, repr=False)

    @property
    def name(self) -> str:
        return f"static-{'+'.join(_said(group) for group in self.groups)}"

    def begin(self, world: World, mean_rps: float) -> None:
        for group in self.groups:
            started(world, group, group.pods, ready=True)
        self._sent = weights_for(_candidates(world), mean_rps, {})
        world.route(self._sent, at_once=True)

    def next_act_s(self, now_s: float) -> float:
        return now_s + CYCLE_S

    def act(self, world: World) -> None:
        weights = weights_for(_candidates(world), _rate_now_rps(world), self._sent)
        if weights != self._sent:
            self._sent = weights
            world.route(weights)

    def queue_limits(self, world: World) -> Mapping[tuple[str, int], int] | None:
        return None


def _candidates(world: World) -> list[Candidate]:
    return [
        Candidate(
            pod=pod.name,
            target=pod.target,
            segments=_segments(world, pod),
        )
        for pod in world.pods
        if pod.ready
    ]


def _segments(world: World, pod: SimulatedPod) -> tuple[Segment, ...]:
    variant = world.scenario.variant(pod.target.variant)
    known = (variant.segments(a) for a in variant.allocations if a.size == pod.size)
    return next(known, (Segment(0.0, variant.accuracy),))


def _rate_now_rps(world: World) -> float:
    end_s, rates = scraped_rates(world, WINDOWS_S[0])
    first_s = end_s - len(rates) + 1
    samples = [Sample(first_s + i, rps) for i, rps in enumerate(rates.tolist())]
    return rate_now_rps(samples) if samples else 0.0


def _said(group: PodGroup) -> str:
    """Return a name such as `resnet50:8`, or `2*resnet50:8` for two such pods."""
    kind = group.target.kind
    size = f"{group.allocation.cpu_millicores / 1000:g}" if kind == CPU else kind
    pods = f"{group.pods}*" if group.pods > 1 else ""
    return f"{pods}{group.target.variant}:{size}"
