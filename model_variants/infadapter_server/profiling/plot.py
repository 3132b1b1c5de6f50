"""Plot the latency curves of a size with its capacities and their intervals."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from infadapter_profiles.profile import ProfiledAllocation
from infadapter_profiles.whole import replacing

_OF_POINTS = 99.0  # the one percentile that is drawn where there are operating points


def draw(path: Path, name: str, rows: Sequence[ProfiledAllocation]) -> None:
    """
    Write PNG or SVG by the path's suffix. Raises ImportError without matplotlib, OSError or
    ValueError for a file that cannot be written.
    """
    from matplotlib.figure import Figure  # an extra's; no profile needs it

    figure = Figure(figsize=(7, 4.5), layout="constrained")
    axes = figure.add_subplot()
    for row in rows:
        _draw_curves(axes, row)
        _draw_capacities(axes, row)
    axes.set(xlabel="requests/s", ylabel="latency, ms", yscale="log", title=name)
    axes.grid(alpha=0.3)
    axes.legend()
    with replacing(path) as beside:
        figure.savefig(beside)


def _draw_curves(axes: Any, row: ProfiledAllocation) -> None:
    points = sorted(row.points, key=lambda point: point.rps)
    for percent in sorted({p for point in points for p in point.latency_s}):
        if row.operating_point and percent != _OF_POINTS:
            continue
        curve = [(p.rps, 1e3 * p.latency_s[percent]) for p in points if percent in p.latency_s]
        label = f"{row.operating_point}, p{percent:g}" if row.operating_point else f"p{percent:g}"
        axes.plot(*zip(*curve, strict=True), marker=".", label=label)
    if row.saturation_rps and not row.operating_point:
        axes.axvline(row.saturation_rps, color="0.6", linestyle=":", label="saturation")


def _draw_capacities(axes: Any, row: ProfiledAllocation) -> None:
    for known in row.capacity:
        low, high = known.low_rps or known.rps, known.high_rps or known.rps
        axes.errorbar(
            [known.rps],
            [1e3 * known.latency_s],
            xerr=[[known.rps - low], [high - known.rps]],
            fmt="k|",
            capsize=4,
            markersize=12,
        )
