"""Common style of all pictures, and their conversion to SVG or files."""

import io
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import matplotlib
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from infadapter_profiles.whole import replacing

FORMATS = ("png", "svg")

_STYLE: Any = {
    "svg.fonttype": "none",
    "svg.hashsalt": "infadapter",  # equal pictures have equal bytes
    "font.family": "sans-serif",
    "font.size": 10,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.edgecolor": "#9aa0a6",
    "axes.labelcolor": "#3c4043",
    "axes.titlecolor": "#3c4043",
    "axes.titlesize": 10,
    "axes.titlelocation": "left",
    "axes.grid": True,
    "axes.axisbelow": True,
    "grid.color": "#eceff1",
    "xtick.color": "#5f6368",
    "ytick.color": "#5f6368",
    "legend.frameon": False,
    "lines.linewidth": 1.6,
}


def picture(
    draw: Callable[[list[Axes]], None],
    *,
    panels: int = 1,
    height: float = 2.6,
    right: float = 0.81,
) -> Figure:
    """Draw panels above each other that share one time axis, with legends to the right."""
    with matplotlib.rc_context(_STYLE):
        figure = Figure(figsize=(10.0, height))
        axes = list(figure.subplots(panels, 1, sharex=True, squeeze=False)[:, 0])
        edge = 0.45 / height  # inches for the label below, whatever the height
        figure.subplots_adjust(
            left=0.065, right=right, top=1 - 0.28 / height, bottom=edge, hspace=0.35
        )
        draw(axes)
    return figure


def as_svg(figure: Figure) -> str:
    """Return the SVG for embedding into a page, as wide as the page."""
    text = io.StringIO()
    with matplotlib.rc_context(_STYLE):
        figure.savefig(text, format="svg", metadata={"Date": None})
    svg = text.getvalue()
    body = re.sub(r"<metadata>.*?</metadata>", "", svg[svg.index("<svg") :], flags=re.DOTALL)
    return re.sub(r'<svg ([^>]*?)width="[^"]*" height="[^"]*"', r"<svg \1", body, count=1)


def save(figure: Figure, path: Path) -> None:
    """Save in the format of the path's suffix, one of FORMATS. Raises OSError."""
    kind = path.suffix.lstrip(".")
    with matplotlib.rc_context(_STYLE):
        metadata = {"Date": None} if kind == "svg" else None
        with replacing(path) as beside:
            figure.savefig(beside, format=kind, dpi=150, metadata=metadata)
