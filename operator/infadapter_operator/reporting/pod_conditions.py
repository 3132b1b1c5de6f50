"""
The conditions of pods: whether they serve, have room, start, deliver as profiled, and are as
planned.

All of them need an observation of the platform, and are Unknown without one.
"""

from infadapter_operator.domain.progress import Phase, Progress
from infadapter_operator.domain.service import Mode, Service
from infadapter_operator.reporting.condition import (
    NOT_OBSERVED,
    Condition,
    Signals,
    false,
    true,
    unknown,
)
from infadapter_operator.reporting.sentences import (
    blocks_told,
    progress_told,
    rest_told,
    target_told,
    unavailable,
)

MIN_DELIVERED_RATIO = 0.85
"""Ratio of delivered to profiled capacity below which a target's profile is reported as wrong."""

WITHIN_QUOTA = "WithinQuota"
"""Reason: there is room for the plan, but less surge than requested."""


def serving(signals: Signals) -> Condition:
    if signals.unseen:
        return unknown("Serving", signals.unseen, NOT_OBSERVED)
    if signals.serving:
        return true("Serving", "BackendsReady", "at least one Ready pod gets traffic")
    return false("Serving", "NoReadyBackend", "no Ready pod gets traffic: requests are refused")


def capacity_available(signals: Signals) -> Condition:
    if signals.unseen:
        return unknown("CapacityAvailable", signals.unseen, NOT_OBSERVED)
    if signals.shortages:
        reason = signals.shortages[0][0]
        sentences = dict.fromkeys(sentence for _, sentence in signals.shortages)
        return false("CapacityAvailable", reason, _joined(*sentences, signals.surge_told))
    told = _joined("the nodes have room for the plan", signals.surge_told)
    return true("CapacityAvailable", WITHIN_QUOTA if signals.surge_told else "Available", told)


def _joined(*sentences: str) -> str:
    return "; ".join(filter(None, sentences))


def variants_available(signals: Signals) -> Condition:
    if signals.unseen:
        return unknown("VariantsAvailable", signals.unseen, NOT_OBSERVED)
    blocks = unavailable(signals.blocks)
    if blocks:
        return false("VariantsAvailable", *blocks_told(blocks))
    return true(
        "VariantsAvailable", "Available", "every planned variant has pods or can start them"
    )


def as_profiled(signals: Signals) -> Condition:
    if signals.unseen:
        return unknown("CapacityAsProfiled", signals.unseen, NOT_OBSERVED)
    short = sorted(
        target for target, ratio in signals.ratios.items() if ratio < MIN_DELIVERED_RATIO
    )
    if short:
        names = ", ".join(map(target_told, short))
        return false(
            "CapacityAsProfiled",
            "LessDelivered",
            f"pods deliver less than {MIN_DELIVERED_RATIO:g} of what their profile promises, and"
            f" are planned with what they deliver; profile them again: {names}",
        )
    return true("CapacityAsProfiled", "AsProfiled", "pods deliver the capacity of their profiles")


def progressing(service: Service, signals: Signals) -> Condition:
    if signals.unseen:
        return unknown("Progressing", signals.unseen, NOT_OBSERVED)
    if service.mode is Mode.RECOMMEND:
        return false("Progressing", "Recommend", "plans are reported, not carried out")
    if signals.progress is not None:
        return _progress(signals.progress)
    if signals.progressing:
        return true("Progressing", "Adapting", "pods or weights are not yet as planned")
    return false("Progressing", "AsPlanned", "pods and weights are as planned")


def _progress(progress: Progress) -> Condition:
    if progress.rest is not None:
        return false("Progressing", progress.rest.value, rest_told(progress, progress.rest))
    if progress.phase is Phase.DONE:
        return false("Progressing", progress.phase.value, "pods and weights are as planned")
    return true("Progressing", progress.phase.value, progress_told(progress))
