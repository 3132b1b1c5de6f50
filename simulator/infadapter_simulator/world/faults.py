"""Faults of a real platform, which the simulated world has only if a scenario specifies them."""

import math
from dataclasses import dataclass

from infadapter_operator.domain.observed import Cause, Resize


@dataclass(frozen=True, slots=True, kw_only=True)
class Spell:
    """A fault of one variant for some time, by default for ever, in the platform's words."""

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
    """A CPU limit for all pods together for some time; terminating and waiting pods count."""

    millicores: int
    name: str = "team"
    from_s: float = 0.0
    until_s: float = math.inf

    def holds(self, at_s: float) -> bool:
        return self.from_s <= at_s < self.until_s


@dataclass(frozen=True, slots=True, kw_only=True)
class Faults:
    """
    The faults of a run; none by default. Times are seconds of the run, factors multiply the
    scenario's delays.
    """

    node_millicores: int | None = None
    """CPU of the only node: pods without room stay unschedulable, resizes are deferred."""

    never_ready: tuple[Spell, ...] = ()
    """
    Pods that start during a spell do not become Ready, for its cause; afterwards they start again.
    """

    refused: tuple[Spell, ...] = ()
    """
    No further pods are created, as under a quota. The Deployment's replicas stay as requested, and
    the pods are created after the spell. Pods that policies start without a Deployment are not
    refused.
    """

    quota: Quota | None = None
    """
    Pods are created and resized as far as the quota allows; more is refused until some of it is
    released. The loop knows what the quota leaves.
    """

    unschedulable: tuple[Spell, ...] = ()
    """
    Pods created during a spell find no node until it ends, as with a selector that no node matches.
    """

    stuck_resizes: tuple[Spell, ...] = ()
    """
    Pods do not grow in place until the spell ends: the resize fails, is deferred or is refused.
    Shrinking is unaffected.
    """

    lost_nodes: tuple[Spell, ...] = ()
    """
    When a spell begins, the node of all current pods of the variant stops responding. They serve
    and hold nothing, and are evicted after the usual five minutes.
    """

    blind_s: tuple[tuple[float, float], ...] = ()
    """Periods in which Prometheus does not answer, so that the load is unknown."""

    start_factor: float = 1.0
    resize_factor: float = 1.0
    lag_factor: float = 1.0  # until a second's count is known

    @property
    def times_s(self) -> set[float]:
        """The times at which a fault begins or ends."""
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
