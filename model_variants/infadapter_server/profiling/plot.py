"""The latency curve of an allocation, with its capacities and their intervals, as a picture."""

from pathlib import Path

from infadapter_profiles.profile import ProfiledAllocation


def draw(path: Path, name: str, measured: ProfiledAllocation) -> None:
    """Write PNG or SVG, by the ending of the name.

    Raises ImportError without matplotlib, OSError or ValueError for a file that can't be written.
    """
    from matplotlib.figure import Figure  # an extra's; no profile needs it

    figure = Figure(figsize=(7, 4.5), layout="constrained")
    axes = figure.add_subplot()
    points = sorted(measured.points, key=lambda point: point.rps)
    for percent in sorted({p for point in points for p in point.latency_s}):
        curve = [(p.rps, 1e3 * p.latency_s[percent]) for p in points if percent in p.latency_s]
        axes.plot(*zip(*curve, strict=True), marker=".", label=f"p{percent:g}")
    for known in measured.capacity:
        low, high = known.low_rps or known.rps, known.high_rps or known.rps
        reach = [[known.rps - low], [high - known.rps]]
        axes.errorbar(
            [known.rps],
            [1e3 * known.latency_s],
            xerr=reach,
            fmt="k|",
            capsize=4,
            markersize=12,
        )
    if measured.saturation_rps:
        axes.axvline(measured.saturation_rps, color="0.6", linestyle=":", label="saturation")
    axes.set(xlabel="requests/s", ylabel="latency, ms", yscale="log", title=name)
    axes.grid(alpha=0.3)
    axes.legend()
    figure.savefig(path)
