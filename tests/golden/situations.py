"""
The record of the loop's decisions: six runs of twenty minutes in virtual time.

Every new plan, every step and every condition that changed is recorded. Refactoring must leave the
record unchanged to the byte; a change of the control behaviour records it anew, and the difference
is reviewed:

    python -m tests.golden.situations
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from functools import cache
from pathlib import Path

import numpy as np

from infadapter.profiles import read_preset
from infadapter_operator.api.status import InferenceServiceStatus
from infadapter_operator.domain.decision import Decision
from infadapter_operator.domain.error_budget import Answers
from infadapter_operator.domain.load import Delivered, History, QueryFailed
from infadapter_operator.domain.ports import LoadSource
from infadapter_operator.domain.situation import State
from infadapter_operator.domain.steps import (
    RemovePods,
    ReplacePods,
    ResizePod,
    ScaleUp,
    SetWeights,
    Step,
)
from infadapter_operator.reconcile import Cycle
from infadapter_operator.reporting.condition import Condition
from infadapter_operator.reporting.plan_status import decision_from
from infadapter_operator.reporting.signals import conditions_of
from infadapter_operator.reporting.status import status_of
from infadapter_simulator.policies.ours import Ours, service_of
from infadapter_simulator.scenario import Scenario, speeds_of, variants_of
from infadapter_simulator.simulate import Workload, flat_history, simulate
from infadapter_simulator.world.queues import Floats
from infadapter_simulator.world.world import World
from infadapter_solver.problem import CPU, Objective, PodSize
from infadapter_workload.arrivals import arrival_times
from infadapter_workload.synthetic import synthetic
from infadapter_workload.trace import Trace

FOLDER = Path(__file__).parent
SECONDS = 1_200
SEED = 1


@dataclass(frozen=True, slots=True, kw_only=True)
class Situation:
    """A load, and the troubles of the run."""

    rates_rps: Floats
    budget_millicores: int = 20_000
    blind_s: tuple[float, float] = (0.0, 0.0)  # when Prometheus does not answer
    restarted_s: float | None = None  # when the operator loses all but its status


def steps(*levels: tuple[int, float]) -> Floats:
    """Return the rates of a load that has each level (rps) from its second on."""
    rates = np.zeros(SECONDS)
    for second, rps in levels:
        rates[second:] = rps
    return rates


def bursty() -> Floats:
    return synthetic("bursty", 1, SECONDS, 70.0).rates


SITUATIONS: Mapping[str, Callable[[], Situation]] = {
    "steady": lambda: Situation(rates_rps=steps((0, 60.0))),
    "bursty": lambda: Situation(rates_rps=bursty()),
    "step": lambda: Situation(rates_rps=steps((0, 40.0), (400, 200.0), (800, 60.0))),
    "overload": lambda: Situation(
        rates_rps=steps((0, 40.0), (300, 400.0), (900, 40.0)), budget_millicores=8_000
    ),
    "no-data": lambda: Situation(rates_rps=bursty(), blind_s=(300.0, 480.0)),
    "restart": lambda: Situation(
        rates_rps=steps((0, 40.0), (400, 200.0), (800, 60.0)), restarted_s=404.0
    ),
}


@dataclass(slots=True, kw_only=True)
class Blinded:
    """The simulated load source, which does not answer during `blind_s`."""

    load: LoadSource
    blind_s: tuple[float, float]

    async def history(self, window_s: float, now_s: float) -> History:
        since_s, until_s = self.blind_s
        if since_s <= now_s < until_s:
            raise QueryFailed("Prometheus did not answer.")
        return await self.load.history(window_s, now_s)

    async def delivered(self, window_s: float, now_s: float) -> Mapping[str, Delivered]:
        return await self.load.delivered(window_s, now_s)

    async def answers(self, window_s: float, now_s: float) -> tuple[Answers, ...] | None:
        return await self.load.answers(window_s, now_s)


@dataclass(slots=True, kw_only=True)
class Recorder:
    """The operator's policy, recorded in `lines`."""

    ours: Ours
    situation: Situation
    name: str = "recorded"
    lines: list[str] = field(default_factory=list)
    told: dict[str, str] = field(default_factory=dict)  # the last recorded conditions, by type
    cycles: list[Cycle] = field(default_factory=list)
    restarted: bool = False

    def begin(self, world: World, mean_rps: float) -> None:
        self.ours.begin(world, mean_rps)
        assert self.ours.load is not None
        self.ours.load = Blinded(load=self.ours.load, blind_s=self.situation.blind_s)
        self._record()

    def next_act_s(self, now_s: float) -> float:
        return self.ours.next_act_s(now_s)

    def act(self, world: World) -> None:
        at_s = self.situation.restarted_s
        if at_s is not None and world.now_s >= at_s and not self.restarted:
            self.restarted = True
            self.ours.state = State(decision=after_restart(self.ours))
            self.lines.append(f"{world.now_s:.2f} restart")
        self.ours.act(world)
        self._record()

    def queue_limits(self, world: World) -> Mapping[tuple[str, int], int] | None:
        return self.ours.queue_limits(world)

    def _record(self) -> None:
        seen = self.ours.seen
        assert seen is not None
        self.cycles.append(seen)
        said = [*plan_lines(seen), *map(step_line, seen.steps), *self._changed(conditions_of(seen))]
        self.lines += [f"{seen.now_s:.2f} {line}" for line in said]

    def _changed(self, conditions: tuple[Condition, ...]) -> list[str]:
        now = {c.type: f"{c.status} {c.reason}" for c in conditions}
        news = [f"{name} {said}" for name, said in now.items() if self.told.get(name) != said]
        self.told = now
        return news


def after_restart(ours: Ours) -> Decision | None:
    """Return the decision that the operator reads from its status after a restart."""
    assert ours.seen is not None
    status = status_of(ours.service, 1, ours.seen.decision, (), None, ours.seen.now_s, changed=True)
    written = InferenceServiceStatus.model_validate_json(status.model_dump_json(by_alias=True))
    return decision_from(ours.service, written)


def plan_lines(seen: Cycle) -> list[str]:
    if not seen.plan_changed or seen.decision is None:
        return []
    decision, plan = seen.decision, seen.decision.plan
    groups = " + ".join(
        f"{g.pods} x {g.target.variant} {size(g.allocation.size)}" for g in plan.groups
    )
    enough = "" if plan.feasible else ", too little"
    return [f"plan {groups or 'nothing'} for {decision.demand_rps:.1f} rps{enough}"]


def step_line(step: Step) -> str:
    match step:
        case ScaleUp():
            return f"scale {step.target.variant} to {step.pods}, {size(step.size)}"
        case ResizePod():
            return f"resize {step.pod} to {size(step.size)}"
        case ReplacePods():
            return f"replace {step.target.variant} by {step.pods}, {size(step.size)}"
        case RemovePods():
            return f"remove {', '.join(step.pods)}, leave {step.remaining}"
        case SetWeights():
            shares = ", ".join(f"{b.pod} {b.weight}" for b in step.backends)
            return f"weights {shares}"


def size(of: PodSize) -> str:
    return f"{of.cpu_millicores}m"


def scenario(budget_millicores: int) -> Scenario:
    """Return the scenario of the paper's five ResNets as measured, at two cores or more per pod."""
    profiles = read_preset("paper-raw")
    variants = variants_of(profiles, 0.75, 99.0)
    return Scenario(
        variants=tuple(
            replace(v, allocations=tuple(a for a in v.allocations if a.cpu_millicores >= 2000))
            for v in variants
        ),
        speeds=speeds_of(profiles, variants),
        profiles={profile.variant: profile for profile in profiles},
        objective=Objective(budget={CPU: budget_millicores}, loading_weight=0.001),
    )


@cache
def played(name: str) -> Recorder:
    """Run one of the situations, and return its recorder."""
    situation = SITUATIONS[name]()
    world_of = scenario(situation.budget_millicores)
    workload = Workload(
        name=name,
        arrivals_s=arrival_times(Trace(name=name, rates=situation.rates_rps), SEED),
        seconds=SECONDS,
        history_rps=flat_history(float(situation.rates_rps[0])),
    )
    recorder = Recorder(ours=Ours(service=service_of(world_of), explains=True), situation=situation)
    simulate(recorder, world_of, workload, SEED)
    return recorder


def recorded(name: str) -> str:
    """Return what the loop decided and did, one line each."""
    return "".join(f"{line}\n" for line in played(name).lines)


def cycles(name: str) -> list[Cycle]:
    return played(name).cycles


def file_of(name: str) -> Path:
    return FOLDER / f"{name}.txt"


def main() -> None:
    for name in SITUATIONS:
        file_of(name).write_text(recorded(name))


if __name__ == "__main__":
    main()
