"""
The execution stage: all writes of one reconcile cycle, through the platform's ports, in order.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from infadapter_operator.domain.ports import (
    PlatformUnavailable,
    Ports,
    ResizeInfeasible,
    StepRefused,
)
from infadapter_operator.domain.steps import (
    RemovePods,
    ReplacePods,
    ResizePod,
    SetWeights,
    Step,
)
from infadapter_solver.problem import PodSize


@dataclass(frozen=True, slots=True, kw_only=True)
class Refusal:
    step: Step
    reason: str
    message: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Executed:
    steps: tuple[Step, ...] = ()
    refusals: tuple[Refusal, ...] = ()
    infeasible: frozenset[tuple[str, PodSize]] = frozenset()  # resizes refused by the node for good


async def execute(steps: Sequence[Step], ports: Ports) -> Executed:
    """
    Take the steps in order and return what was taken and refused.

    A refused step does not stop the others, except that no pod is removed or replaced after weights
    were refused. If the platform does not answer, the remaining steps are skipped.
    """
    taken: list[Step] = []
    refusals: list[Refusal] = []
    infeasible: set[tuple[str, PodSize]] = set()
    for step in steps:
        if isinstance(step, RemovePods | ReplacePods) and _weights_were_refused(refusals):
            continue
        try:
            await _take(step, ports)
        except StepRefused as refused:
            refusals.append(Refusal(step=step, reason=refused.reason, message=str(refused)))
            if isinstance(refused, ResizeInfeasible) and isinstance(step, ResizePod):
                infeasible.add((step.pod, step.size))
        except PlatformUnavailable as error:
            refusals.append(Refusal(step=step, reason=error.reason, message=str(error)))
            break
        else:
            taken.append(step)
    return Executed(steps=tuple(taken), refusals=tuple(refusals), infeasible=frozenset(infeasible))


async def _take(step: Step, ports: Ports) -> None:
    if isinstance(step, SetWeights):
        await ports.router.set_weights(step)
    else:
        await ports.cluster.take(step)


def _weights_were_refused(refusals: Sequence[Refusal]) -> bool:
    return any(isinstance(refusal.step, SetWeights) for refusal in refusals)
