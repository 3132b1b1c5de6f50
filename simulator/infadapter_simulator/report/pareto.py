"""The picture of a report that shows what accuracy each policy had for how many cores."""

from collections.abc import Mapping, Sequence

from matplotlib.axes import Axes
from matplotlib.colors import LinearSegmentedColormap, PowerNorm
from matplotlib.figure import Figure
from matplotlib.text import Annotation
from matplotlib.transforms import Bbox

from infadapter_simulator.compare import Result
from infadapter_simulator.naming import OURS
from infadapter_simulator.report.means import mean
from infadapter_simulator.report.pictures import picture

MANY_VIOLATIONS = 0.05
"""All above have the same colour."""

_COLOURS = LinearSegmentedColormap.from_list("violations", ["#2f7f79", "#e0a458", "#d1495b"])
_TICKS = (0.0, 0.001, 0.003, 0.01, 0.02, MANY_VIOLATIONS)
_MOST_LABELS = 14
_PLACES = tuple((x, y) for y in (3, -10, 15, -22, 27, -34, 39, -46) for x in (9, -9))
"""Where a label may stand, seen from its dot, in points; the better places first."""

Dot = tuple[float, float]


def pareto_plot(results: Sequence[Result]) -> Figure:
    """Up and to the left is better."""
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
        for name in _labelled(dots):
            _label(axes[0], name, dots[name], taken)

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


def _labelled(dots: Mapping[str, Dot]) -> list[str]:
    """All if there is room for them, else ours and those that no other one is better than."""
    if len(dots) <= _MOST_LABELS:
        return list(dots)
    best = [
        name
        for name, (cores, accuracy) in dots.items()
        if not any(c < cores and a > accuracy for c, a in dots.values())
    ]
    return [*best, *({OURS} & dots.keys() - set(best))]


def _label(axes: Axes, name: str, dot: Dot, taken: list[Bbox]) -> None:
    """In the first place where it is within the axes and on nothing else."""
    text = axes.annotate(
        name,
        dot,
        xytext=_PLACES[0],
        textcoords="offset points",
        fontsize=9,
        weight="bold" if name == OURS else None,
    )
    frame = axes.get_window_extent()
    for place in _PLACES:
        box = _placed(text, place)
        if frame.x0 < box.x0 and box.x1 < frame.x1 and not any(box.overlaps(b) for b in taken):
            break
    taken.append(box)


def _dot_boxes(axes: Axes, dots: Mapping[str, Dot]) -> list[Bbox]:
    """Where no label may stand."""
    axes.autoscale_view()
    centres = axes.transData.transform(list(dots.values()))
    return [Bbox.from_bounds(x - 4, y - 4, 8, 8) for x, y in centres]


def _placed(text: Annotation, place: tuple[int, int]) -> Bbox:
    text.xyann = place
    text.set_horizontalalignment("left" if place[0] > 0 else "right")
    return text.get_window_extent()
