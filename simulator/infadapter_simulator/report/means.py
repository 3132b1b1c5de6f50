"""Means over seeds with their confidence intervals."""

import math
from dataclasses import fields
from statistics import fmean, stdev

from infadapter_simulator.compare.results import Comparison, Result
from infadapter_simulator.measures import Measures

MEASURES = tuple(field.name for field in fields(Measures))

_T = (
    *(12.706, 4.303, 3.182, 2.776, 2.571, 2.447, 2.365, 2.306, 2.262, 2.228),
    *(2.201, 2.179, 2.160, 2.145, 2.131, 2.120, 2.110, 2.101, 2.093, 2.086),
    *(2.080, 2.074, 2.069, 2.064, 2.060, 2.056, 2.052, 2.048, 2.045, 2.042),
)
"""Student's t, two-sided, 95 %, by degrees of freedom from 1 on."""

_T_OF_MANY = 1.96


def mean(result: Result, measure: str) -> float | None:
    """Return the mean over the seeds that have the measure, or None."""
    known = _known(result, measure)
    return fmean(known) if known else None


def half_width(result: Result, measure: str) -> float | None:
    """Return half the width of the mean's 95 % interval; None for fewer than two seeds."""
    known = _known(result, measure)
    if len(known) < 2:
        return None
    t = _T[len(known) - 2] if len(known) <= len(_T) + 1 else _T_OF_MANY
    return t * stdev(known) / math.sqrt(len(known))


def upper_of(comparison: Comparison) -> float | None:
    """Return the upper bound of any policy's objective, the mean over the seeds."""
    known = [bounds.upper for bounds in comparison.bounds if bounds.upper is not None]
    return fmean(known) if known else None


def _known(result: Result, measure: str) -> list[float]:
    values = [getattr(measures, measure) for measures in result.measures]
    return [value for value in values if value is not None and math.isfinite(value)]
