"""The report's plots, as inline SVG."""

import io
import math
import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import matplotlib

matplotlib.use("svg")

import matplotlib.pyplot as plt
from matplotlib.axes import Axes

from infadapter_local.series import Series

VARIANT_COLOURS = ("#bcd8f0", "#7fb3de", "#3f83c1", "#20538f", "#0b2a58")
RUN_COLOURS = ("#d1495b", "#8a8f98", "#e0a458", "#5b8e7d", "#7b5ea7")
_STYLE: Any = {
    "svg.fonttype": "none",
    "font.family": "sans-serif",
    "font.size": 10,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.edgecolor": "#9aa0a6",
    "axes.labelcolor": "#3c4043",
    "axes.grid": True,
    "axes.axisbelow": True,
    "grid.color": "#eceff1",
    "xtick.color": "#5f6368",
    "ytick.color": "#5f6368",
    "legend.frameon": False,
    "lines.linewidth": 1.6,
}


def load_plot(ours: Series) -> str:
    """Plot arrivals, the forecast and the capacity."""

    def draw(axes: Axes) -> None:
        axes.fill_between(ours.second_s, ours.arrived_rps, color="#dfe7ee", label="arrived", lw=0)
        axes.step(ours.cycle_s, ours.capacity_rps, where="post", color="#3f83c1", label="capacity")
        axes.step(
            ours.cycle_s, ours.planned_rps, where="post", color="#d1495b", label="planned for"
        )
        axes.plot(ours.cycle_s, ours.forecast_rps, color="#e0a458", ls=":", label="forecast")
        axes.set_ylabel("requests/s")
        axes.set_ylim(bottom=0)

    return _svg(draw)


def cores_plot(ours: Series, budget_cores: float) -> str:
    """Plot the cores held by each variant."""

    def draw(axes: Axes) -> None:
        _stack(axes, ours.cycle_s, ours.cores)
        axes.axhline(budget_cores, color="#d1495b", lw=1, ls="--", label="budget")
        axes.set_ylabel("cores")

    return _svg(draw)


def shares_plot(ours: Series) -> str:
    """Plot each variant's share of the traffic."""

    def draw(axes: Axes) -> None:
        _stack(axes, ours.cycle_s, {n: [100 * s for s in v] for n, v in ours.shares.items()})
        axes.set_ylabel("% of traffic")
        axes.set_ylim(0, 100)

    return _svg(draw)


def points_plot(grouped: Series) -> str:
    """Plot each operating point's share of the answers."""

    def draw(axes: Axes) -> None:
        shares = {name: [100 * s for s in values] for name, values in grouped.points.items()}
        _stack(axes, grouped.second_s, shares)
        axes.set_ylabel("% of answers")
        axes.set_ylim(0, 100)

    return _svg(draw)


def latency_plot(ours: Series, slo_ms: float) -> str:
    """Plot latencies by second."""

    def draw(axes: Axes) -> None:
        axes.plot(ours.second_s, ours.p50_ms, color="#7fb3de", label="p50")
        axes.plot(ours.second_s, ours.p99_ms, color="#20538f", label="p99")
        axes.axhline(slo_ms, color="#d1495b", lw=1, ls="--", label=f"SLO {slo_ms:.0f} ms")
        axes.set_yscale("log")
        axes.set_ylabel("ms")

    return _svg(draw)


def accuracy_plot(runs: Mapping[str, Series]) -> str:
    """
    Plot the effective accuracy of all runs by second; late and refused requests count as wrong.
    """

    def draw(axes: Axes) -> None:
        for colour, (title, series) in zip(RUN_COLOURS, runs.items(), strict=False):
            values = [100 * value for value in series.effective_accuracy]
            axes.plot(series.second_s, values, color=colour, label=title)
        shown = [100 * v for s in runs.values() for v in s.effective_accuracy if math.isfinite(v)]
        axes.set_ylabel("effective accuracy, %")
        axes.set_ylim(
            max(0.0, min(shown, default=0.0) - 5), min(100.0, max(shown, default=95.0) + 5)
        )

    return _svg(draw)


def cost_plot(runs: Mapping[str, Series]) -> str:
    """Plot the cumulative CPU-seconds held, of all runs."""

    def draw(axes: Axes) -> None:
        for colour, (title, series) in zip(RUN_COLOURS, runs.items(), strict=False):
            axes.plot(series.cycle_s, series.core_seconds, color=colour, label=title)
        axes.set_ylabel("CPU-seconds")
        axes.set_ylim(bottom=0)

    return _svg(draw)


def _stack(axes: Axes, at_s: Sequence[float], values: Mapping[str, Sequence[float]]) -> None:
    axes.stackplot(
        at_s,
        list(values.values()),
        labels=list(values),
        colors=VARIANT_COLOURS,
        step="post",
        lw=0,
    )


def _svg(draw: Callable[[Axes], None]) -> str:
    with plt.rc_context(_STYLE):
        figure, axes = plt.subplots(figsize=(10.0, 2.6))
        figure.subplots_adjust(left=0.065, right=0.81, top=0.97, bottom=0.18)  # all the same
        draw(axes)
        axes.set_xlabel("seconds")
        axes.margins(x=0)
        axes.legend(loc="center left", bbox_to_anchor=(1.01, 0.5), labelspacing=0.6)
        text = io.StringIO()
        figure.savefig(text, format="svg", metadata={"Date": None})
        plt.close(figure)
    return _inline(text.getvalue())


def _inline(svg: str) -> str:
    """Strip what only a separate file needs, and set the width to the page's."""
    body = svg[svg.index("<svg") :]
    return re.sub(r'<svg ([^>]*?)width="[^"]*" height="[^"]*"', r"<svg \1", body, count=1)
