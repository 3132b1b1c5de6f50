"""When InfAdapter's adapter scales down: its rule for requests, and VPA+'s for cores."""

from dataclasses import dataclass


@dataclass(slots=True)
class Patience:
    """
    An increase is applied at once; a decrease after this many rounds without an increase.
    STABILIZATION_INTERVAL in the published code (adapter/main.py), which counts rounds of 30 s.
    """

    rounds: int
    held: int = 0  # rounds since the last change

    def waits(self, current: float, wanted: float) -> bool:
        """Whether this round changes nothing."""
        if wanted <= current and self.held < self.rounds:
            self.held += 1
            return True
        self.held = 0
        return False
