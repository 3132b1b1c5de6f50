"""Whether what keeps pods from coming keeps those of other services too: a registry, a quota."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace

from infadapter_operator.observed import Cause
from infadapter_operator.progress import Block
from infadapter_solver.problem import Target

WITHIN_S = 60.0
SERVICES = 3
"""So many that fail for one cause at about the same time have it in common."""

Blocks = Mapping[Target, Block]
Seen = tuple[str, Target, Cause]  # of which service, of what, why


@dataclass(frozen=True, slots=True)
class Causes:
    """When each cause was last met, by service and target."""

    met_at_s: Mapping[Seen, float] = field(default_factory=dict)

    def met(self, service: str, target: Target, cause: Cause, at_s: float) -> "Causes":
        """What is too old to tell anything is left out."""
        recent = {seen: s for seen, s in self.met_at_s.items() if at_s - s <= WITHIN_S}
        return replace(self, met_at_s={**recent, (service, target, cause): at_s})

    def after(self, service: str, before: Blocks, now: Blocks, at_s: float) -> "Causes":
        """With those of a service that are new, a failed attempt among them."""
        found = self
        for target, block in now.items():
            if target not in before or _attempt(before[target]) != _attempt(block):
                found = found.met(service, target, block.cause, at_s)
        return found

    def same_cause(self, cause: Cause, now_s: float) -> bool:
        services = {
            service
            for (service, _, met), at_s in self.met_at_s.items()
            if met is cause and 0 <= now_s - at_s <= WITHIN_S
        }
        return len(services) >= SERVICES

    def shared(self, now_s: float) -> frozenset[Cause]:
        return frozenset(cause for cause in Cause if self.same_cause(cause, now_s))


def _attempt(block: Block) -> tuple[str, int]:
    return block.digest, block.attempts
