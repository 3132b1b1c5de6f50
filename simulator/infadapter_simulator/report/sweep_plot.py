"""Plot of a sweep: accuracy, cost and violations against the option's values."""

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from infadapter_simulator.compare.results import Result
from infadapter_simulator.report.means import half_width, mean
from infadapter_simulator.report.pictures import picture
from infadapter_simulator.report.sweep import Sweep

_PANELS = (
    ("effective_accuracy", 100, "effective accuracy, %", "#20538f"),
    ("mean_cost", 1, "mean cost", "#5b8e7d"),
    ("violations", 100, "violations, %", "#d1495b"),
)


def sweep_plot(sweep: Sweep) -> Figure:
    order = np.argsort(sweep.values)
    values = [sweep.values[at] for at in order]
    results = [sweep.results[at] for at in order]

    def draw(axes: list[Axes]) -> None:
        for panel, (measure, scale, title, colour) in zip(axes, _PANELS, strict=True):
            _line(panel, values, results, measure, scale, colour)
            panel.set_title(title)
        axes[-1].set_xlabel(f"{sweep.title}, {sweep.unit}" if sweep.unit else sweep.title)
        axes[-1].set_xticks(values, labels=[f"{value:g}" for value in values])
        axes[-1].set_ylim(bottom=0)

    return picture(draw, panels=len(_PANELS), height=5.4, right=0.98)


def _line(
    axes: Axes, values: list[float], results: list[Result], measure: str, scale: int, colour: str
) -> None:
    means = [scale * (mean(result, measure) or 0.0) for result in results]
    widths = [scale * (half_width(result, measure) or 0.0) for result in results]
    axes.errorbar(values, means, yerr=widths, color=colour, marker="o", capsize=3)
    axes.margins(x=0.05, y=0.25)
