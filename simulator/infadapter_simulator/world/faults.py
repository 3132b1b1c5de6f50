"""What goes wrong on a real platform, and in the simulated world only when it is told to."""

import math
from dataclasses import dataclass

from infadapter_operator.domain.observed import Cause, Resize


@dataclass(frozen=True, slots=True, kw_only=True)
class Spell:
    """Trouble that a variant has for some time, in the platform's words; by default for ever."""

    variant: str
    from_s: float = 0.0
    until_s: float = math.inf
    cause: Cause = Cause.NOT_READY  # of pods that do not come
    resize: Resize = Resize.FAILING  # what the kubelet says to a larger size
    message: str = ""

    def holds(self, variant: str, at_s: float) -> bool:
        return variant == self.variant and self.from_s <= at_s < self.until_s


@dataclass(frozen=True, slots=True, kw_only=True)
class Quota:
    """CPU that all pods together may hold for some time, those that leave or wait too."""

    millicores: int
    name: str = "team"
    from_s: float = 0.0
    until_s: float = math.inf

    def holds(self, at_s: float) -> bool:
        return self.from_s <= at_s < self.until_s


@dataclass(frozen=True, slots=True, kw_only=True)
class Faults:
    """By default there are none. Times are those of the run; factors multiply what was told."""

    node_millicores: int | None = None
    """CPU of the only node: pods without room wait for it unscheduled, resizes are deferred."""

    never_ready: tuple[Spell, ...] = ()
    """Pods that start then do not become Ready, for the cause; afterwards they start anew."""

    refused: tuple[Spell, ...] = ()
    """No further pods are made, as under a quota. What a Deployment wants stays as asked for, and
    is made when the spell is over. Policies that start pods without one are not refused any."""

    quota: Quota | None = None
    """Pods are made, and resized, as far as it goes: who asks for more is refused until some of it
    is given back. The loop is told what it leaves."""

    unschedulable: tuple[Spell, ...] = ()
    """Pods that are made then find no node until it is over, as by a selector that none has."""

    stuck_resizes: tuple[Spell, ...] = ()
    """Pods do not grow in place until the spell is over: that fails, is deferred, or is refused. A
    smaller size needs no room."""

    lost_nodes: tuple[Spell, ...] = ()
    """When it begins, the node of all pods that the variant has then does not answer any more. They
    serve nothing and hold nothing, and are evicted after the usual five minutes."""

    blind_s: tuple[tuple[float, float], ...] = ()
    """From when until when Prometheus does not answer: of the load nothing is known then."""

    start_factor: float = 1.0
    resize_factor: float = 1.0
    lag_factor: float = 1.0  # until a second's count is known

    @property
    def times_s(self) -> set[float]:
        """When something begins or ends."""
        spells = (
            *(*self.never_ready, *self.refused, *self.unschedulable),
            *(*self.stuck_resizes, *self.lost_nodes),
        )
        bounds = (self.quota,) if self.quota else ()
        times = {at_s for spell in (*spells, *bounds) for at_s in (spell.from_s, spell.until_s)}
        return {at_s for at_s in times if 0 <= at_s < math.inf}

    def is_blind(self, at_s: float) -> bool:
        return any(from_s <= at_s < until_s for from_s, until_s in self.blind_s)


def spell_of(spells: tuple[Spell, ...], variant: str, at_s: float) -> Spell | None:
    return next((spell for spell in spells if spell.holds(variant, at_s)), None)
