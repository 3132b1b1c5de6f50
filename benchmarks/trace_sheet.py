"""A sheet of small pictures of traces, each with what it was taken for."""

import io
import textwrap
from collections.abc import Sequence
from pathlib import Path

import matplotlib
import numpy as np
from matplotlib.figure import Figure
from PIL import Image

from infadapter_simulator.report.trace_plot import draw_load
from infadapter_workload.trace import Trace

COLUMNS = 4
COLOURS = 32
"""Of the picture, so that it stays small."""


def sheet(traces: Sequence[tuple[str, Trace]], output: Path) -> None:
    rows = -(-len(traces) // COLUMNS)
    with matplotlib.rc_context({"font.size": 6, "axes.linewidth": 0.5}):
        figure = Figure(figsize=(10, 1.35 * rows), layout="constrained")
        panels = figure.subplots(rows, COLUMNS, sharey=True, squeeze=False).ravel()
        for panel in panels[len(traces) :]:
            panel.axis("off")
        for panel, (title, trace) in zip(panels, traces, strict=False):
            draw_load(panel, trace, np.empty((0, 2), dtype=np.int64))
            panel.set_title(title, fontsize=7, fontweight="bold", loc="left")
            said = textwrap.fill(f"{trace.form}; mean {trace.mean_rps:.4g} rps", 58)
            panel.text(0.02, 0.97, said, transform=panel.transAxes, va="top", fontsize=4.5)
            panel.set_ylim(0, 65)
        _save(figure, output)


def _save(figure: Figure, output: Path) -> None:
    drawn = io.BytesIO()
    figure.savefig(drawn, format="png", dpi=120)
    Image.open(drawn).convert("RGB").quantize(COLOURS).save(output, optimize=True)
