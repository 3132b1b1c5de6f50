"""When InfAdapter's adapter acts on less: its rule for requests, and VPA+'s for cores."""

from dataclasses import dataclass


@dataclass(slots=True)
class Patience:
    """
    More is acted upon at once; no more than now is, after so many rounds that wanted no more.

    STABILIZATION_INTERVAL in the published code (adapter/main.py), which counts rounds of 30 s.
    """

    rounds: int
    held: int = 0  # since something was acted upon

    def waits(self, current: float, wanted: float) -> bool:
        """Whether this round leaves things as they are."""
        if wanted <= current and self.held < self.rounds:
            self.held += 1
            return True
        self.held = 0
        return False
