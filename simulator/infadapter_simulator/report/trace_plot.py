"""Plot of a trace: its load over time, and long silences."""

import numpy as np
import numpy.typing as npt
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from infadapter_simulator.report.pictures import picture
from infadapter_workload.trace import Array, Trace

POINTS = 600
"""
Number of points across; a longer trace is drawn as the mean and the busiest second of each point.
"""

_LOAD, _SILENT = "#20538f", "#d1495b"
_HOUR_S = 3600


def trace_plot(trace: Trace, silences: npt.NDArray[np.int64], title: str) -> Figure:
    """Plot the trace; `silences` are rows of first second and end."""

    def draw(axes: list[Axes]) -> None:
        axes[0].set_xlabel(f"time, {draw_load(axes[0], trace, silences)}")
        axes[0].set_ylabel("requests/s")
        axes[0].set_title(title)

    return picture(draw, panels=1, height=2.6, right=0.98)


def draw_load(axis: Axes, trace: Trace, silences: npt.NDArray[np.int64]) -> str:
    """Draw the mean and, lighter, the busiest second of each point. Return the unit of the time."""
    unit_s, unit = (1, "s") if trace.seconds < 2 * _HOUR_S else (_HOUR_S, "h")
    at_s, mean, highest = _points(trace.rates)
    axis.fill_between(at_s / unit_s, highest, color=_LOAD, alpha=0.25, linewidth=0)
    axis.plot(at_s / unit_s, mean, color=_LOAD, linewidth=1.0)
    for first_s, end_s in silences:
        axis.axvspan(first_s / unit_s, end_s / unit_s, color=_SILENT, alpha=0.2, linewidth=0)
    axis.set_ylim(bottom=0)
    axis.set_xlim(0, trace.seconds / unit_s)
    return unit


def _points(rates: Array) -> tuple[Array, Array, Array]:
    """Return each point's begin, mean and busiest second; the last is repeated at the end."""
    width = -(-len(rates) // POINTS)
    starts = np.arange(0, len(rates), width)
    highest = np.maximum.reduceat(rates, starts)
    mean = np.add.reduceat(rates, starts) / np.diff(np.append(starts, len(rates)))
    return (
        np.append(starts, len(rates)).astype(float),
        np.append(mean, mean[-1]),
        np.append(highest, highest[-1]),
    )
