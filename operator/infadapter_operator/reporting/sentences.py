"""
Sentences about a rollout for people: its progress, why it rests and what to do, which pods fail.

Times are absolute and in whole seconds, since a countdown would be written in every cycle.
"""

import math
from collections.abc import Mapping

from infadapter_operator.domain.progress import Block, Progress, Rest
from infadapter_operator.reporting.transitions import whole_second
from infadapter_solver.problem import CPU, Target

WHAT_TO_DO: Mapping[Rest, str] = {
    Rest.NO_NODE: "no node has room for a pod: add nodes, or lower the budget",
    Rest.RESIZE_REFUSED: "a node does not let a pod grow: make room on it, or drain it",
    Rest.CONFLICT: "another controller writes to these pods: remove its HPA, VPA or"
    " ScaledObject, or the variant from this service",
    Rest.NO_SURGE: "budget and scaling.maxSurge leave no room to switch: raise maxSurge, or"
    " the quota that CapacityAvailable names",
    Rest.NO_DATA: "the load is not known, and nothing shrinks: MetricsFresh says why",
    Rest.START_FAILED: "pods cannot be started: VariantsAvailable names them and the reason;"
    " once it is fixed they are retried automatically",
}


def progress_told(progress: Progress) -> str:
    """
    Return a sentence about a rollout in progress: what is Ready, what it waits for, and until when.
    """
    waits = f"waits for {progress.waits_for}" if progress.waits_for else ""
    ends = "" if progress.deadline_s is None else _deadline(progress.deadline_s)
    return "; ".join(filter(None, (_count(progress), waits, ends)))


def rest_told(progress: Progress, rest: Rest) -> str:
    waits = f"waits for {progress.waits_for}" if progress.waits_for else ""
    return "; ".join(filter(None, (_count(progress), WHAT_TO_DO[rest], waits)))


def unavailable(blocks: Mapping[Target, Block]) -> tuple[Block, ...]:
    """Return the blocks whose target has had no Ready pod since, also while a probe runs."""
    return tuple(blocks[target] for target in sorted(blocks) if not blocks[target].has_recovered)


def blocks_told(blocks: tuple[Block, ...]) -> tuple[str, str]:
    """Return a reason and a sentence. With several causes the common reason is that starts fail."""
    causes = {block.cause for block in blocks}
    reason = causes.pop().value if len(causes) == 1 else Rest.START_FAILED.value
    return reason, "; ".join(f"{target_told(b.target)}: {b.message or b.cause}" for b in blocks)


def target_told(target: Target) -> str:
    return target.variant if target.kind == CPU else f"{target.variant} on {target.kind}"


def _count(progress: Progress) -> str:
    return f"{progress.ready} of {progress.wanted} planned pods are Ready"


def _deadline(at_s: float) -> str:
    at = whole_second(math.ceil(at_s)).strftime("%Y-%m-%dT%H:%M:%SZ")
    return f"at {at} a new plan is made without the missing pods"


def amounts_told(amounts: Mapping[str, int]) -> str:
    return ", ".join(
        f"{name}={amount / 1000:g}" if name == "cpu" else f"{name}={amount}"
        for name, amount in sorted(amounts.items())
    )
