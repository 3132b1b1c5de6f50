"""The result of an experiment: a table beside the published figures, and curves."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from matplotlib.axes import Axes
from matplotlib.figure import Figure

from infadapter_simulator.report.pictures import picture, save
from infadapter_simulator.report.table import aligned

UNPUBLISHED = "not published as a number"
COLOURS = ("#20538f", "#d1495b", "#e3a02c", "#3f83c1", "#6a8f4f", "#8e6bb0", "#7a7a7a")
PANEL_INCHES = 2.3


@dataclass(frozen=True, slots=True)
class Line:
    label: str
    x: Sequence[float]
    y: Sequence[float]


@dataclass(frozen=True, slots=True)
class Panel:
    title: str
    lines: Sequence[Line]


@dataclass(frozen=True, slots=True)
class Result:
    """One experiment. `said` lists the assumptions, and what is not available."""

    experiment: str
    title: str
    head: Sequence[str]
    rows: Sequence[Sequence[str]]
    panels: Sequence[Panel]
    x_axis: str
    said: Sequence[str] = field(default_factory=tuple)
    log_x: bool = False


def percent(share: float, digits: int = 2) -> str:
    return "–" if share != share else f"{100 * share:.{digits}f}"


def milliseconds(seconds: float) -> str:
    return "–" if seconds != seconds else f"{1000 * seconds:.1f}"


def as_text(result: Result) -> str:
    said = [f"- {sentence}" for sentence in result.said]
    table = aligned([result.head, *result.rows])
    return "\n".join([result.title, "", *table, "", *said])


def as_facts(result: Result) -> dict[str, Any]:
    return {
        "experiment": result.experiment,
        "title": result.title,
        "rows": [dict(zip(result.head, row, strict=True)) for row in result.rows],
        "said": list(result.said),
    }


def draw(result: Result, folder: Path, paper: str) -> Path:
    """Draw one picture with a panel per measure. Raises OSError."""
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"{paper}-{result.experiment}.png"
    save(_figure(result), path)
    return path


def _figure(result: Result) -> Figure:
    def drawn(axes: list[Axes]) -> None:
        for axis, panel in zip(axes, result.panels, strict=True):
            axis.set_title(panel.title)
            for number, (line, colour) in enumerate(zip(panel.lines, COLOURS, strict=False)):
                width = 1.4 + 0.5 * (len(panel.lines) - number)  # lines on each other are seen
                axis.plot(line.x, line.y, label=line.label, color=colour, marker=".", lw=width)
            if min(min(line.y) for line in panel.lines) >= 0:
                axis.set_ylim(bottom=0)
            if result.log_x:
                axis.set_xscale("log")
            axis.legend(loc="upper left", bbox_to_anchor=(1.01, 1.0), fontsize=8)
        axes[-1].set_xlabel(result.x_axis)

    panels = len(result.panels)
    return picture(drawn, panels=panels, height=PANEL_INCHES * panels + 0.6, right=0.77)
