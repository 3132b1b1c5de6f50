"""Plot of each policy's accuracy against the cores it held."""

from collections.abc import Collection, Mapping, Sequence

from matplotlib.axes import Axes
from matplotlib.colors import LinearSegmentedColormap, PowerNorm
from matplotlib.figure import Figure
from matplotlib.text import Annotation
from matplotlib.transforms import Bbox

from infadapter_simulator.compare.naming import OURS
from infadapter_simulator.compare.results import Result
from infadapter_simulator.report.means import mean
from infadapter_simulator.report.pictures import picture

MANY_VIOLATIONS = 0.05
"""Share of violations above which all dots have the same colour."""

_COLOURS = LinearSegmentedColormap.from_list("violations", ["#2f7f79", "#e0a458", "#d1495b"])
_TICKS = (0.0, 0.001, 0.003, 0.01, 0.02, MANY_VIOLATIONS)
_MOST_LABELS = 14
_PLACES = tuple((x, y) for y in (3, -10, 15, -22, 27, -34, 39, -46) for x in (9, -9))
"""Candidate positions of a label relative to its dot, in points, the preferred first."""

Dot = tuple[float, float]


def pareto_plot(results: Sequence[Result]) -> Figure:
    """Plot accuracy against cores: up and to the left is better."""
    dots = {
        result.name: (
            mean(result, "mean_cores") or 0.0,
            100 * (mean(result, "effective_accuracy") or 0.0),
        )
        for result in results
    }
    violations = [mean(result, "violations") or 0.0 for result in results]

    def draw(axes: list[Axes]) -> None:
        _scatter(axes[0], dots, violations)
        taken = _dot_boxes(axes[0], dots)
        for text, dot in _labels(dots).items():
            _label(axes[0], text, dot, taken)

    return picture(draw, height=4.6, right=0.99)


def _scatter(axes: Axes, dots: Mapping[str, Dot], violations: Sequence[float]) -> None:
    cores, accuracy = zip(*dots.values(), strict=True)
    found = axes.scatter(
        cores,
        accuracy,
        c=violations,
        s=[110 if name == OURS else 50 for name in dots],
        cmap=_COLOURS,
        norm=PowerNorm(0.5, 0.0, MANY_VIOLATIONS, clip=True),
        edgecolors=["#202124" if name == OURS else "white" for name in dots],
        zorder=3,
    )
    bar = axes.figure.colorbar(found, ax=axes, extend="max", pad=0.02, aspect=30)
    bar.set_ticks(_TICKS, labels=[f"{tick:.1%}" for tick in _TICKS])
    bar.set_label("violations")
    axes.set_xlabel("mean cores")
    axes.set_ylabel("effective accuracy, %")
    axes.margins(0.08)


def _labels(dots: Mapping[str, Dot]) -> dict[str, Dot]:
    """
    Return one label per dot if there is room, else those of ours and of the policies that no other
    dominates. Policies on the same dot are counted: `vpa-resnet18 +2`.
    """
    names: dict[Dot, list[str]] = {}
    for name in sorted(dots, key=lambda name: name != OURS):
        cores, accuracy = dots[name]
        names.setdefault((round(cores, 1), round(accuracy, 1)), []).append(name)
    shown = [dot for dot in names if OURS in names[dot] or not _is_beaten(dot, names)]
    chosen = names if len(names) <= _MOST_LABELS else shown
    return {
        names[dot][0] + (f" +{len(names[dot]) - 1}" if len(names[dot]) > 1 else ""): dot
        for dot in chosen
    }


def _is_beaten(dot: Dot, others: Collection[Dot]) -> bool:
    return any(o[0] <= dot[0] and o[1] >= dot[1] and o != dot for o in others)


def _label(axes: Axes, label: str, dot: Dot, taken: list[Bbox]) -> None:
    """Draw a label at the first position within the axes that overlaps nothing."""
    text = axes.annotate(
        label,
        dot,
        xytext=_PLACES[0],
        textcoords="offset points",
        fontsize=9,
        weight="bold" if label.split()[0] == OURS else None,
    )
    frame = axes.get_window_extent()
    for place in _PLACES:
        box = _placed(text, place)
        inside = frame.containsx(box.x0) and frame.containsx(box.x1) and frame.containsy(box.y0)
        if inside and not any(box.overlaps(other) for other in taken):
            break
    taken.append(box)


def _dot_boxes(axes: Axes, dots: Mapping[str, Dot]) -> list[Bbox]:
    """Return the boxes that labels must not overlap."""
    axes.autoscale_view()
    centres = axes.transData.transform(list(dots.values()))
    return [Bbox.from_bounds(x - 4, y - 4, 8, 8) for x, y in centres]


def _placed(text: Annotation, place: tuple[int, int]) -> Bbox:
    text.xyann = place
    text.set_horizontalalignment("left" if place[0] > 0 else "right")
    return text.get_window_extent()
