"""Draws the task of extreme classification: many labels, of which few are frequent.

Real sets of this kind (encyclopaedias, shops) can't be had without a download, so the task is
generated: how often a label occurs follows Zipf's law, labels of a topic are alike, and an input is
its label's prototype under noise. How many inputs can be told at all follows from the noise.
"""

from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

from infadapter_server.networks.signatures import Floats

FEATURES = 64
LABELS_A_TOPIC = 50

Labels = npt.NDArray[np.int64]
Tell = Callable[[int, int], None]
"""Progress callback of a training: steps done, and steps in total."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Task:
    """`alike`: the share of a prototype's variance that its topic gives. `noise`: a feature's."""

    labels: int
    alike: float = 0.75
    noise: float = 0.2
    seed: int = 1
    prototypes: Floats = field(init=False, repr=False, compare=False)
    _heap: npt.NDArray[np.float64] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        draw = np.random.default_rng([self.seed, self.labels])
        topics = _directions(draw, max(1, self.labels // LABELS_A_TOPIC))
        of = topics[draw.integers(len(topics), size=self.labels)]
        own = _directions(draw, self.labels)
        mixed = np.sqrt(self.alike) * of + np.sqrt(1 - self.alike) * own
        object.__setattr__(self, "prototypes", mixed.astype(np.float32))
        object.__setattr__(self, "_heap", np.cumsum(zipf(self.labels)))

    def sample(self, n: int, seed: int) -> tuple[Floats, Labels]:
        """Inputs [n, 64] and their labels; label 0 is the most frequent."""
        draw = np.random.default_rng([self.seed, self.labels, seed])
        at = draw.random(n) * self._heap[-1]
        labels = np.minimum(np.searchsorted(self._heap, at), self.labels - 1)
        noise = np.float32(self.noise) * draw.standard_normal((n, FEATURES), np.float32)
        return self.prototypes[labels] + noise, labels


def zipf(labels: int) -> npt.NDArray[np.float64]:
    """Return the labels' probabilities; that of the r-th is proportional to 1 / r."""
    each = 1 / np.arange(1, labels + 1)
    share: npt.NDArray[np.float64] = each / each.sum()
    return share


def _directions(draw: np.random.Generator, n: int) -> Floats:
    """Return n random vectors of mean length about 1."""
    return draw.standard_normal((n, FEATURES), np.float32) / np.float32(np.sqrt(FEATURES))
