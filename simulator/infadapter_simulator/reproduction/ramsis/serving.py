"""RAMSIS's trace, served by its baselines and by ours: a ladder in one pod, with admission."""

from collections.abc import Callable, Mapping, Sequence
from types import MappingProxyType

from infadapter_scheduler import Choice, Model, Policy, Scheduler, Situation
from infadapter_scheduler.points.model_switching import Decided, JellyfishPlus, ModelSwitching
from infadapter_scheduler.points.policy import PointPolicy
from infadapter_scheduler.points.slackfit import SlackFit
from infadapter_scheduler.policies.central import CentralQueue
from infadapter_simulator.reproduction.ramsis.inputs import SLO_S, STEP_S, Step
from infadapter_simulator.reproduction.superserve.fluid import fluid_accuracy


class ToldTheLoad:
    """
    Uses the trace's load instead of a measured one, which favours policies that switch by the load.
    """

    def __init__(
        self, policy: PointPolicy, steps: Sequence[Step], scale: float, workers: int
    ) -> None:
        self._policy, self._steps = policy, steps
        self._step_s, self._workers = STEP_S * scale, workers

    def choose(self, situation: Situation) -> Choice:
        at = min(len(self._steps) - 1, int(situation.now_s / self._step_s))
        rate_rps = self._steps[at].rate_rps / self._workers
        return self._policy.choose(situation._replace(rate_rps=rate_rps))

    def ran(self, situation: Situation, choice: Choice) -> None:
        self._policy.ran(situation, choice)


def policies(
    model: Model,
    decided: Mapping[int, Decided],
    steps: Sequence[Step],
    scale: float,
    workers: int,
) -> Mapping[str, Callable[[], Policy]]:
    by_rate = {load_rps / workers: found for load_rps, found in decided.items()}

    def told(policy: PointPolicy) -> Policy:
        return CentralQueue(model, ToldTheLoad(policy, steps, scale, workers))

    return MappingProxyType(
        {
            "ours": lambda: Scheduler([model]),
            "SlackFit, behind admission": lambda: Scheduler([model], points=SlackFit()),
            "Model-Switching": lambda: told(ModelSwitching(by_rate)),
            "Jellyfish+": lambda: told(JellyfishPlus(SLO_S)),
        }
    )


def looked_up(model: Model, decided: Mapping[int, Decided], steps: Sequence[Step]) -> float:
    """
    Return the accuracy of the decisions for each step's load, as published for Model-Switching.
    """
    accuracy = {point.name: point.accuracy for point in model.points}
    asked = sum(step.rate_rps for step in steps)
    at = [min(load for load in decided if load >= step.rate_rps) for step in steps]
    found = (s.rate_rps * accuracy[decided[load].point] for s, load in zip(steps, at, strict=True))
    return sum(found) / asked


def limit(model: Model, workers: int, steps: Sequence[Step]) -> float:
    """Return the fluid limit of the trace's accuracy, with batches that take the whole SLO."""
    return fluid_accuracy(model, workers, [step.rate_rps for step in steps], 2 * SLO_S)
