"""A backtest as a text table."""

from infadapter_forecasting.backtest import Backtest, Score

HEAD = (
    "method",
    "quantile",
    "pinball",
    "coverage",
    "mean",
    "under by",
    "at most",
    "for",
    "at most",
)
UNITS = ("", "", "rps", "%", "rps", "rps", "rps", "s", "s")


def table(result: Backtest) -> str:
    """Return one line per method and quantile, best first."""
    asked = result.question
    title = (
        f"Highest {asked.bucket_s} s mean of the next {asked.horizon_s} s, "
        f"{result.origins} times; it was {result.came_rps:.1f} rps on average"
    )
    ordered = sorted(result.scores, key=lambda score: (score.quantile, score.pinball_rps))
    return "\n".join([title, "", *aligned([HEAD, UNITS, *(_row(score) for score in ordered)])])


def _row(score: Score) -> tuple[str, ...]:
    name = score.method if score.calibrated else f"{score.method}, uncalibrated"
    return (
        name,
        f"{score.quantile:g}",
        f"{score.pinball_rps:.2f}",
        f"{100 * score.coverage:.1f}",
        f"{score.mean_rps:.1f}",
        f"{score.under_rps:.1f}",
        f"{score.deepest_rps:.1f}",
        f"{score.under_s:.0f}",
        f"{score.longest_s:.0f}",
    )


def aligned(rows: list[tuple[str, ...]]) -> list[str]:
    """Align names to the left and numbers to the right."""
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    return [
        "  ".join(
            cell.rjust(width) if at else cell.ljust(width)
            for at, (cell, width) in enumerate(zip(row, widths, strict=True))
        ).rstrip()
        for row in rows
    ]
