"""Choose the method with the smallest recent losses, if the difference is significant."""

from dataclasses import dataclass

import numpy as np

from infadapter_forecasting.forecaster import Array, Seconds


@dataclass(frozen=True, slots=True, kw_only=True)
class Rule:
    """A challenger must be better by a margin, significantly, and for some time."""

    margin: float = 0.05
    window_s: int = 7_200  # over which losses are compared
    patience_s: int = 300  # for which the challenger must stay ahead
    sigmas: float = 2.5  # that the difference must be from none
    least: int = 30  # losses that do not overlap; fewer say nothing


def pinball(came_rps: Array, forecast_rps: Array, quantile: float) -> Array:
    """Return the pinball loss, whose expectation is least at the quantile; rps."""
    short = came_rps - forecast_rps
    loss: Array = np.maximum(quantile * short, (quantile - 1) * short)
    return loss


def chosen(losses: Array, rule: Rule, step_s: int, overlap: float = 1.0) -> Seconds:
    """
    Return the chosen method, (origins,), from losses (origins, methods) known by then.

    The first method stays until another has proved better. NaN is an unknown loss. Of losses with
    overlapping horizons only every `overlap`-th counts as independent.
    """
    found = np.zeros(len(losses), dtype=np.intp)
    at, current = 0, 0
    while at < len(losses):
        lead = _lead(losses, current, rule, step_s, overlap)[at:]
        when = np.flatnonzero((lead > 0).any(axis=1))
        until = at + int(when[0]) if len(when) else len(losses)
        found[at:until] = current
        if until < len(losses):
            current = int(lead[until - at].argmax())
        at = until
    return found


def _lead(losses: Array, current: int, rule: Rule, step_s: int, overlap: float) -> Array:
    """
    Return how far each method is ahead of the current one, (origins, methods); 0 where not for long
    enough.
    """
    window = max(1, rule.window_s // step_s)
    gain = losses[:, current : current + 1] - losses
    counts = _rolling(~np.isnan(gain), window)
    many = np.maximum(counts, 1)
    mean = _rolling(np.nan_to_num(gain), window) / many
    spread = np.sqrt(np.maximum(_rolling(np.nan_to_num(gain**2), window) / many - mean**2, 0.0))
    usual = (_rolling(np.nan_to_num(losses[:, current : current + 1]), window)) / many
    separate = np.maximum(many / max(overlap, 1.0), 1.0)
    chance = rule.sigmas * spread / np.sqrt(separate)
    ahead = (separate >= rule.least) & (mean > rule.margin * usual) & (mean > chance)
    patience = max(1, rule.patience_s // step_s)
    return np.where(_rolling(ahead, patience) >= patience, mean, 0.0)


def _rolling(values: np.ndarray, window: int) -> Array:
    """Return the sum of the last `window` values of each column, (origins, methods)."""
    before = np.zeros((window, values.shape[1]))
    sums = np.cumsum(np.concatenate((before, values)), axis=0)
    found: Array = sums[window:] - sums[:-window]
    return found
