"""Training samples from traces: windows, and what followed each."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from infadapter_forecasting.features import features
from infadapter_forecasting.forecaster import FIRST_S, Rates, Seconds
from infadapter_forecasting.quantile_network import BUCKETS_S, HORIZONS_S
from infadapter_forecasting.rates import highest_after

STEP_S = 10
SHORT = 0.1
"""Share of windows that begin with the trace, so that young histories are covered."""

FARTHEST = 60.0
"""
Limit of targets in spreads. Beyond it is a jump, of which a larger distance teaches nothing more.
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Samples:
    inputs: NDArray[np.float32]  # (samples, INPUTS)
    came: NDArray[np.float32]  # (samples, buckets × horizons), in units of spread above the level

    def __len__(self) -> int:
        return len(self.inputs)


def samples(traces: Sequence[Rates], *, most: int, random: np.random.Generator) -> Samples:
    """Return at most `most` samples, spread evenly over the traces."""
    longest_s = max(HORIZONS_S)
    usable = [trace for trace in traces if len(trace) > 2 * longest_s]
    each = max(1, most // max(1, len(usable)))
    parts = [_of_trace(trace, each, random) for trace in usable]
    return Samples(
        inputs=np.concatenate([part.inputs for part in parts]),
        came=np.concatenate([part.came for part in parts]),
    )


def _of_trace(trace: Rates, count: int, random: np.random.Generator) -> Samples:
    origins = np.arange(FIRST_S, len(trace) - max(HORIZONS_S), dtype=np.intp)
    chosen = np.sort(random.choice(origins, min(count, max(1, len(origins) // STEP_S))))
    whole = _seen(trace, chosen)
    young = [
        _seen(*_cut(trace, int(at), random)) for at in chosen[random.random(len(chosen)) < SHORT]
    ]
    return Samples(
        inputs=np.concatenate([whole.inputs, *(part.inputs for part in young)]),
        came=np.concatenate([whole.came, *(part.came for part in young)]),
    )


def _cut(trace: Rates, at: int, random: np.random.Generator) -> tuple[Rates, Seconds]:
    """Return the trace as if it had begun shortly before."""
    known_s = min(at, int(random.integers(5, 300)))
    return trace[at - known_s : at + max(HORIZONS_S)], np.array([known_s], dtype=np.intp)


def _seen(trace: Rates, origins: Seconds) -> Samples:
    seen = features(trace, origins)
    came = [
        highest_after(trace, origins, horizon_s, bucket_s)
        for bucket_s in BUCKETS_S
        for horizon_s in HORIZONS_S
    ]
    off = (np.stack(came, axis=1) - seen.level_rps[:, None]) / seen.spread_rps[:, None]
    came_off = np.clip(off, -FARTHEST, FARTHEST)
    return Samples(inputs=seen.inputs.astype(np.float32), came=came_off.astype(np.float32))
