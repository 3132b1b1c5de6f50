"""Detect failure causes that are shared by several services: a registry, a quota."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace

from infadapter_operator.domain.observed import Cause
from infadapter_operator.domain.progress import Block
from infadapter_operator.observe import Shared
from infadapter_operator.planning.failures import Blocks
from infadapter_operator.planning.shared_causes import SHARED_WITHIN_S
from infadapter_solver.problem import Target

SHARED_BY_SERVICES = 3
"""
Number of services that must fail for one cause at about the same time for it to count as shared.
"""

TRIAL_S = 90.0
"""
Seconds that a trial takes after the end of a back-off: a cycle, a start and the patience with it.
"""

Seen = tuple[str, Target, Cause]  # service, target, cause


@dataclass(frozen=True, slots=True)
class Trial:
    """The service that starts a probe for all that share a cause, and when its turn ends."""

    service: str
    ends_s: float


@dataclass(frozen=True, slots=True)
class Causes:
    """When each cause was last met, by service and target, and which service probes for it."""

    met_at_s: Mapping[Seen, float] = field(default_factory=dict)
    trials: Mapping[Cause, Trial] = field(default_factory=dict)

    def told_to(self, service: str, now_s: float) -> Shared:
        return Shared(
            causes=self.shared(now_s), tried_elsewhere=self.tried_elsewhere(service, now_s)
        )

    def met(self, service: str, target: Target, cause: Cause, at_s: float) -> "Causes":
        """Record a failure; entries too old to matter are dropped."""
        recent = {seen: s for seen, s in self.met_at_s.items() if at_s - s <= SHARED_WITHIN_S}
        return replace(self, met_at_s={**recent, (service, target, cause): at_s})

    def after(self, service: str, before: Blocks, now: Blocks, at_s: float) -> "Causes":
        """
        Record a service's new failures, failed retries included. A trial ends together with its
        block: if the pod of one service comes, those of all may come.
        """
        fails = {block.cause for block in now.values() if not block.has_recovered}
        kept = {
            cause: trial
            for cause, trial in self.trials.items()
            if at_s < trial.ends_s and (trial.service != service or cause in fails)
        }
        found = replace(self, trials=kept)
        for target, block in now.items():
            if target not in before or _attempt(before[target]) != _attempt(block):
                found = found.met(service, target, block.cause, at_s)._tried_by(
                    service, block, at_s
                )
        return found

    def _tried_by(self, service: str, block: Block, at_s: float) -> "Causes":
        """Let the service whose failure makes the cause shared probe for all."""
        trial = self.trials.get(block.cause)
        if trial is None and not self.same_cause(block.cause, at_s):
            return self
        if trial is not None and trial.service != service:
            return self
        tried = Trial(service, block.until_s + TRIAL_S)
        return replace(self, trials={**self.trials, block.cause: tried})

    def same_cause(self, cause: Cause, now_s: float) -> bool:
        services = {
            service
            for (service, _, met), at_s in self.met_at_s.items()
            if met is cause and 0 <= now_s - at_s <= SHARED_WITHIN_S
        }
        return len(services) >= SHARED_BY_SERVICES

    def shared(self, now_s: float) -> frozenset[Cause]:
        return frozenset(cause for cause, trial in self.trials.items() if now_s < trial.ends_s)

    def tried_elsewhere(self, service: str, now_s: float) -> frozenset[Cause]:
        """Return the shared causes for which another service probes."""
        return frozenset(c for c in self.shared(now_s) if self.trials[c].service != service)


def _attempt(block: Block) -> tuple[str, int]:
    return block.digest, block.attempts
