"""The reproduced evaluation as a table, and as pictures."""

from collections.abc import Sequence
from pathlib import Path
from statistics import fmean

from matplotlib.axes import Axes
from matplotlib.figure import Figure

from infadapter_simulator.report.pictures import picture, save
from infadapter_simulator.report.table import aligned
from infadapter_simulator.reproduction import COST_WEIGHTS, Row

COLOURS = ("#d1495b", "#20538f", "#bcd8f0", "#7fb3de", "#3f83c1")
HEAD = [
    "system", "β",
    "cores", "range", "published",
    "loss pt", "range", "published",
    "violations %", "range", "published",
]  # fmt: skip


def as_text(rows: Sequence[Row]) -> str:
    """Means over the seeds, and their ranges, beside what was published."""
    return "\n".join(aligned([HEAD, *(_cells(row) for row in rows)]))


def draw(rows: Sequence[Row], folder: Path) -> list[Path]:
    """A picture for each β, of the first seed. Raises OSError."""
    folder.mkdir(parents=True, exist_ok=True)
    paths = []
    for cost_weight in COST_WEIGHTS:
        shown = [row for row in rows if row.case[1] in (cost_weight, None)]
        paths.append(folder / f"infadapter-beta-{cost_weight:g}.png")
        save(_figure(shown), paths[-1])
    return paths


def _cells(row: Row) -> list[str]:
    mean, published = row.over_seeds(fmean), row.published
    low, high = row.over_seeds(min), row.over_seeds(max)
    system, cost_weight = row.case
    return [
        system,
        "any" if cost_weight is None else f"{cost_weight:g}",
        f"{mean.cores:.1f}",
        f"{low.cores:.1f}–{high.cores:.1f}",
        f"{published.cores:.1f}",
        f"{mean.accuracy_loss_points:.2f}",
        f"{low.accuracy_loss_points:.2f}–{high.accuracy_loss_points:.2f}",
        f"{published.accuracy_loss_points:.2f}",
        f"{100 * mean.violations:.1f}",
        f"{100 * low.violations:.1f}–{100 * high.violations:.1f}",
        f"{100 * published.violations:.0f}",
    ]


def _figure(rows: Sequence[Row]) -> Figure:
    def drawn(axes: list[Axes]) -> None:
        for row, colour in zip(rows, COLOURS, strict=False):
            seen = row.runs[0].timeline
            lines = (
                (seen.at_s, seen.cores),
                (seen.at_s, seen.loss_points),
                (seen.bin_at_s, 1000 * seen.p99_s),
                (seen.bin_at_s, 100 * seen.violations),
            )
            for panel, (at_s, values) in zip(axes, lines, strict=True):
                panel.step(at_s, values, where="post", color=colour, label=row.case[0])
        titles = ("Cores", "Accuracy loss, points", "P99 latency, ms", "Violations, %")
        for panel, title in zip(axes, titles, strict=True):
            panel.set_title(title)
            panel.set_ylim(bottom=0)
        axes[-1].set_xlabel("seconds")
        axes[0].legend(loc="upper left", bbox_to_anchor=(1.01, 1.0))

    return picture(drawn, panels=4, height=8.0)
