"""Plots of a run over time."""

from collections.abc import Mapping, Sequence
from itertools import cycle

import numpy as np
from matplotlib.artist import Artist
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import Patch

from infadapter_simulator.compare.naming import OURS
from infadapter_simulator.report.pictures import picture
from infadapter_simulator.series import Series
from infadapter_simulator.world.queues import Floats

VARIANT_COLOURS = ("#bcd8f0", "#7fb3de", "#3f83c1", "#20538f", "#0b2a58")
POLICY_COLOURS = ("#d1495b", "#20538f", "#e0a458", "#5b8e7d", "#8a8f98")


def load_plot(series: Series) -> Figure:
    """Plot the arrivals."""

    def draw(axes: list[Axes]) -> None:
        unit_s, label = _unit(series)
        axes[0].fill_between(
            series.bin_at_s / unit_s, series.load_rps, step="post", color="#c9d6e2", lw=0
        )
        _finish(axes, label, "requests/s")

    return picture(draw, height=2.0)


def cores_plot(shown: Mapping[str, Series], variants: Sequence[str], budget: float) -> Figure:
    """Plot the cores held by each variant, one panel per policy."""
    colours = dict(zip(variants, cycle(VARIANT_COLOURS), strict=False))

    def draw(axes: list[Axes]) -> None:
        for panel, (name, series) in zip(axes, shown.items(), strict=True):
            unit_s, label = _unit(series)
            own = [variant for variant in variants if variant in series.cores]
            at_s, held = _changes(series.at_s, [series.cores[variant] for variant in own])
            panel.stackplot(
                at_s / unit_s, held, colors=[colours[v] for v in own], step="post", lw=0
            )
            panel.axhline(budget, color="#d1495b", lw=1, ls="--")
            panel.set_title(name)
        _finish(axes, label, "cores")
        keys = [Patch(color=colour, label=variant) for variant, colour in colours.items()]
        line = Line2D([], [], color="#d1495b", lw=1, ls="--", label="budget")
        _legend(axes[0], [*reversed(keys), line])

    return picture(draw, panels=len(shown), height=0.9 + 1.35 * len(shown))


def accuracy_plot(shown: Mapping[str, Series]) -> Figure:
    """Plot the planned accuracy of the traffic."""

    def draw(axes: list[Axes]) -> None:
        for colour, (name, series) in zip(POLICY_COLOURS, shown.items(), strict=False):
            unit_s, label = _unit(series)
            _step(axes[0], series.at_s / unit_s, 100 * series.accuracy, colour, name)
        _finish(axes, label, "planned accuracy, %", bottom=None)
        _legend(axes[0])

    return picture(draw)


def violations_plot(shown: Mapping[str, Series]) -> Figure:
    """Plot the share of each bin's requests that was late, refused or failed."""

    def draw(axes: list[Axes]) -> None:
        for colour, (name, series) in zip(POLICY_COLOURS, shown.items(), strict=False):
            unit_s, label = _unit(series)
            _step(axes[0], series.bin_at_s / unit_s, 100 * series.violations, colour, name)
        _finish(axes, label, "violations, %")
        _legend(axes[0])

    return picture(draw)


def _changes(at_s: Floats, held: Sequence[Floats]) -> tuple[Floats, Sequence[Floats]]:
    """Drop samples equal to the one before, except the last."""
    kept = np.ones(len(at_s), dtype=bool)
    kept[1:-1] = (np.diff(np.array(held), axis=1) != 0).any(axis=0)[:-1]
    return at_s[kept], [each[kept] for each in held]


def _unit(series: Series) -> tuple[float, str]:
    """Return the divisor and the name of the time axis's unit."""
    seconds = float(series.bin_at_s[-1])
    if seconds <= 2 * 3600:
        return 1.0, "seconds"
    return (3600.0, "hours") if seconds <= 3 * 86_400 else (86_400.0, "days")


def _step(axes: Axes, x: Floats, y: Floats, colour: str, name: str) -> None:
    wide = name == OURS
    axes.step(
        x,
        y,
        where="post",
        color=colour,
        label=name,
        lw=2.0 if wide else 1.2,
        zorder=3 if wide else 2,
    )


def _finish(axes: list[Axes], x: str, y: str, bottom: float | None = 0.0) -> None:
    for panel in axes:
        panel.set_ylabel(y)
        panel.margins(x=0)
        panel.set_ylim(bottom=bottom)
    axes[-1].set_xlabel(x)


def _legend(axes: Axes, keys: Sequence[Artist] | None = None) -> None:
    axes.legend(handles=keys, loc="upper left", bbox_to_anchor=(1.01, 1.0), labelspacing=0.6)
