"""The demo in the terminal: a live view, or plain lines if the output is no terminal."""

from collections.abc import Sequence
from itertools import pairwise
from types import TracebackType

from rich.console import Console, Group, RenderableType
from rich.live import Live
from rich.panel import Panel
from rich.progress import BarColumn, Progress, TaskID, TextColumn, TimeRemainingColumn
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

from infadapter_local.run import Run
from infadapter_local.snapshot import Snapshot, Tally, VariantNow

_BLOCKS = " ▁▂▃▄▅▆▇█"
_WIDTH = 60
_BLOCKS_OF_CORES = 16  # of 100m each, or less if one variant holds more
_COLOURS = ("bright_cyan", "cyan", "green", "yellow", "magenta")
_PLAIN_EVERY_S = 5.0


class View:
    """A context; `step` and `tick` may be called at any time within it."""

    def __init__(self, console: Console) -> None:
        self._console = console
        self._live = Live(console=console, auto_refresh=False) if console.is_terminal else None
        self._tally: Tally | None = None
        self._said_s = -1e9
        self._tenths = 0  # of the calibration, printed so far
        self._progress: Progress | None = None
        self._task: TaskID | None = None

    def __enter__(self) -> "View":
        if self._live is not None:
            self._live.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._stop()

    def say(self, line: str) -> None:
        """Print a permanent line."""
        self._console.print(line, highlight=False, markup=False, soft_wrap=True)

    def conclude(self, line: str) -> None:
        """Print the last line, below the last view."""
        self._stop()
        self.say(line)

    def step(self, what: str, done: float) -> None:
        """Show the calibration's progress, as a fraction."""
        if self._live is None:
            if 10 * done >= self._tenths:
                self._tenths = int(10 * done) + 1
                self.say(f"calibrating: {what}")
            return
        if self._progress is None:
            columns = (TextColumn("[bold]calibrating[/] {task.description:<20}"), BarColumn(40))
            self._progress = Progress(*columns, TimeRemainingColumn(), console=self._console)
            self._task = self._progress.add_task(what, total=1.0)
        assert self._task is not None
        self._progress.update(self._task, description=what, completed=done)
        self._live.update(self._progress.get_renderable(), refresh=True)

    def tick(self, run: Run) -> None:
        """Show the current state of a run."""
        if self._tally is None or self._tally.run is not run:
            self._tally = Tally(run)
            self._said_s = -1e9
        snapshot = self._tally.snapshot()
        if self._live is not None:
            self._live.update(picture(snapshot), refresh=True)
        elif snapshot.at_s - self._said_s >= _PLAIN_EVERY_S:
            self._said_s = snapshot.at_s
            self.say(line(snapshot))

    def _stop(self) -> None:
        if self._live is not None:
            self._live.stop()


def picture(now: Snapshot) -> RenderableType:
    """Return the live view of one moment."""
    time = Table.grid(padding=(0, 1))
    bar = ProgressBar(total=now.duration_s, completed=max(0.0, now.at_s), width=_WIDTH)
    at_s = min(now.at_s, now.duration_s)
    passed = "lead-in" if at_s < 0 else f"{at_s:.0f} of {now.duration_s:.0f} s"
    time.add_row(bar, Text(passed, style="dim"))
    played = max(0, round(_WIDTH * at_s / now.duration_s))
    load = Text(sparkline(now.loads_rps, played), style="bright_blue")
    parts: list[RenderableType] = [load, time, Text(), _rates(now), Text(), _variants(now)]
    if now.points:
        parts += [Text(), _points(now)]
    parts += [Text(), _worth(now), _latency(now)]
    if now.why:
        parts.append(Text(now.why, style="dim italic", overflow="ellipsis", no_wrap=True))
    return Panel(Group(*parts), title=f"[bold]{now.title}[/]", border_style="blue", padding=(1, 2))


def line(now: Snapshot) -> str:
    """Return the same in one line."""
    plan = ", ".join(
        f"{v.name} {v.millicores}m {v.share:.0%}" for v in now.variants if v.millicores
    )
    return (
        f"{now.title:<22} {now.at_s:5.0f} s  load {_number(now.load_rps)}"
        f"  forecast {_number(now.forecast_rps)}  [{plan}]"
        f"  p99 {_number(now.p99_ms)} ms  effective accuracy {_percent(now.effective_accuracy)}"
        f"  cores {_number(now.mean_cores, 2)}"
    )


def sparkline(values: Sequence[float], width: int) -> str:
    """Return the values as text blocks; the highest is a full block."""
    top = max(values, default=0.0) or 1.0
    edges = [len(values) * column // max(1, width) for column in range(width + 1)]
    columns = (max(values[a : max(b, a + 1)], default=0.0) for a, b in pairwise(edges))
    return "".join(_BLOCKS[round(8 * value / top)] for value in columns)


def _rates(now: Snapshot) -> Text:
    parts = (
        ("load", now.load_rps),
        ("forecast", now.forecast_rps),
        ("planned for", now.planned_rps),
        ("capacity", now.capacity_rps),
    )
    text = Text()
    for name, value in parts:
        text.append(f"{name} ", style="dim").append(f"{_number(value)}", style="bold").append("   ")
    return text.append("requests/s", style="dim")


def _variants(now: Snapshot) -> Table:
    table = Table(box=None, padding=(0, 2, 0, 0), header_style="dim")
    for heading, justify in (("variant", "left"), ("accuracy", "right"), ("pods", "right")):
        table.add_column(heading, justify=justify)  # type: ignore[arg-type]
    table.add_column("cores")
    table.add_column("traffic")
    most = max((variant.millicores for variant in now.variants), default=0)
    for colour, variant in zip(_COLOURS, now.variants, strict=False):
        table.add_row(
            *_row(variant, max(most, 100 * _BLOCKS_OF_CORES)),
            style=colour if variant.millicores else "dim",
        )
    return table


def _row(variant: VariantNow, most_millicores: int) -> tuple[str, ...]:
    pods = f"{variant.ready}/{variant.pods}" if variant.pods else "–"
    blocks = "■" * round(_BLOCKS_OF_CORES * variant.millicores / most_millicores)
    cores = f"{blocks:<{_BLOCKS_OF_CORES}} {variant.millicores / 1000:4.1f}"
    share = f"{'█' * round(16 * variant.share):<16} {variant.share:4.0%}"
    return (
        variant.name,
        _percent(variant.accuracy),
        pods,
        cores if variant.millicores else "",
        share if variant.share else "",
    )


def _points(now: Snapshot) -> Text:
    text = Text("answered by ", style="dim")
    for name, share in now.points.items():
        text.append(f"{name} ").append(f"{share:.0%}", style="bold").append("   ")
    return text


def _worth(now: Snapshot) -> Text:
    return Text.assemble(
        ("effective accuracy ", "dim"),
        (_percent(now.effective_accuracy), "bold"),
        ("   violations ", "dim"),
        _percent(now.violations),
        ("   cores on average ", "dim"),
        _number(now.mean_cores, 2),
    )


def _latency(now: Snapshot) -> Text:
    within = now.p99_ms is None or now.p99_ms <= now.slo_ms
    return Text.assemble(
        ("latency p50 ", "dim"),
        f"{_number(now.p50_ms)} ms",
        ("   p99 ", "dim"),
        (f"{_number(now.p99_ms)} ms", "bold green" if within else "bold red"),
        (f" of {now.slo_ms:.0f} ms", "dim"),
    )


def _number(value: float | None, digits: int = 0) -> str:
    return "–" if value is None else f"{value:.{digits}f}"


def _percent(value: float | None) -> str:
    return "–" if value is None else f"{100 * value:.1f} %"
